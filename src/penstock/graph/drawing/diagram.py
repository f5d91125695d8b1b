"""The content of every drawing of a graph: boxes, lines, and the states of a run."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any

from penstock.artifacts import Verdict
from penstock.graph.graph import Graph

OUTSIDE = "outside"
"""Kind of a box for a node that the graph reads from but does not hold."""


@dataclasses.dataclass(frozen=True, slots=True)
class NodeStatus:
    """The outcome of a node in a run.

    Attributes:
        state: One of `penstock.runners.result.NodeState`.
        note: A few words beside it, such as its time.
        verdict: Its verdict, if it judged something.
    """

    state: str
    note: str = ""
    verdict: Verdict | None = None

    @property
    def short_verdict(self) -> str:
        """The verdict, cut to what fits into a drawing."""
        text = self.verdict.text if self.verdict else ""
        return text if len(text) <= 60 else f"{text[:59].rstrip()}…"


@dataclasses.dataclass(frozen=True, slots=True)
class Box:
    """A node as it is drawn.

    Attributes:
        id: Name of the node.
        kind: component, resolver, importer or outside.
        label: Name of its component, where that differs from `id`; else empty.
        status: Its outcome; None if no run is shown.
    """

    id: str
    kind: str
    label: str = ""
    status: NodeStatus | None = None


@dataclasses.dataclass(frozen=True, slots=True)
class Line:
    """An edge: what `consumer` reads of `producer`; without keys it only waits for it.

    Attributes:
        producer: The node before.
        consumer: The node after.
        keys: Outputs of the producer that it reads.
        gate: Whether the producer is a gate that holds the consumer back.
    """

    producer: str
    consumer: str
    keys: tuple[str, ...] = ()
    gate: bool = False


@dataclasses.dataclass(frozen=True, slots=True)
class Diagram:
    """A graph as it is drawn, its boxes in a topological order."""

    name: str
    boxes: tuple[Box, ...]
    lines: tuple[Line, ...]

    def to_json(self) -> dict[str, Any]:
        """Return the JSON form."""
        return {
            "name": self.name,
            "nodes": [
                {
                    "id": box.id,
                    "kind": box.kind,
                    "component": box.label or box.id,
                    **(
                        {
                            "state": box.status.state,
                            "note": box.status.note,
                            "verdict": box.status.verdict and box.status.verdict.to_json(),
                        }
                        if box.status is not None
                        else {}
                    ),
                }
                for box in self.boxes
            ],
            "edges": [
                {
                    "from": line.producer,
                    "to": line.consumer,
                    "keys": list(line.keys),
                    "gate": line.gate,
                }
                for line in self.lines
            ],
        }


def diagram_of(graph: Graph, statuses: Mapping[str, NodeStatus] | None = None) -> Diagram:
    """Return the diagram of a graph.

    Args:
        graph: The graph.
        statuses: How its nodes fared, by id; those absent from a mapping that is given are PENDING.
    """
    inside = {node.id for node in graph.nodes}
    outside: dict[str, None] = {}
    lines: list[Line] = []
    for node in graph.nodes:
        keys: dict[str, dict[str, None]] = {each: {} for each in node.upstream}
        for edges in node.inputs.values():
            for edge in edges:
                keys.setdefault(edge.producer, {})[edge.key] = None
        for producer, of in keys.items():
            if producer not in inside:
                outside[producer] = None
            lines.append(Line(producer, node.id, tuple(of), producer in node.gates))
    boxes = [Box(id, OUTSIDE) for id in outside]
    for node in graph.nodes:
        status = None if statuses is None else statuses.get(node.id, NodeStatus("PENDING"))
        name = node.component.rpartition(":")[2] if node.kind == "component" else node.kind.title()
        boxes.append(Box(node.id, node.kind, "" if name == node.id else name, status))
    return Diagram(graph.name, tuple(boxes), tuple(lines))
