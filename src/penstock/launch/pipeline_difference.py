"""What differs between two forms of a pipeline, in the pipeline's words, and what that means for a run."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from penstock.graph import Graph, GraphNode
from penstock.graph.binding import unbound
from penstock.launch.value_change import ABSENT, change
from penstock.spelling import counted


@dataclasses.dataclass(frozen=True, slots=True)
class NodeDescription:
    """A node in words.

    Attributes:
        computes: What its results depend on: words to encoded values.
        runs: How and where it is run, which changes no result.
        upstream: The nodes that it waits for.
        parameters: Names of the runtime parameters that its results depend on.
        compared: Words of `runs` that the runner's cache compares all the same.
    """

    computes: Mapping[str, Any]
    runs: Mapping[str, Any]
    upstream: tuple[str, ...]
    parameters: frozenset[str]
    compared: frozenset[str] = frozenset()

    @classmethod
    def of(
        cls,
        node: GraphNode,
        runs: Mapping[str, Any] | None = None,
        computes: Mapping[str, Any] | None = None,
        compared: Iterable[str] = (),
    ) -> NodeDescription:
        """Return the description of a node.

        Args:
            node: The node.
            runs: More of how it is run.
            computes: More of what its results depend on.
            compared: As the attribute.
        """
        return cls(
            {**_computes(node), **(computes or {})},
            {**_settings(node), **(runs or {})},
            node.upstream,
            frozenset(unbound(node.parameters)),
            frozenset(compared),
        )


@dataclasses.dataclass(frozen=True, slots=True)
class PipelineDescription:
    """A pipeline in words.

    Attributes:
        name: Of the pipeline.
        settings: What holds for all of it: words to encoded values.
        defaults: Runtime parameter to its default.
        nodes: Its nodes by name, in a topological order.
    """

    name: str
    settings: Mapping[str, Any]
    defaults: Mapping[str, Any]
    nodes: Mapping[str, NodeDescription]

    @classmethod
    def of(cls, graph: Graph) -> PipelineDescription:
        """Return the description of a graph."""
        return cls(
            graph.name,
            {"root": graph.root, "caching": graph.enable_cache},
            {name: each.default for name, each in graph.parameters.items()},
            {node.id: NodeDescription.of(node) for node in graph.nodes},
        )


@dataclasses.dataclass(frozen=True, slots=True)
class PipelineDifference:
    """What differs.

    Attributes:
        changes: One sentence each, the pipeline's own before those of its nodes.
        anew: Nodes whose results no cache has.
        after: Nodes that follow them, and run anew unless what they read comes out the same.
        moved: Other nodes that are run in another way, with the same results.
    """

    changes: tuple[str, ...]
    anew: tuple[str, ...]
    after: tuple[str, ...]
    moved: tuple[str, ...]

    def to_text(self) -> str:
        """Return it in lines, for people."""
        if not self.changes:
            return "nothing differs\n"
        lines = [
            f"{counted(len(self.changes), 'change')}:",
            *(f"  {each}" for each in self.changes),
        ]
        meaning = []
        if self.anew:
            meaning.append(f"runs anew: {', '.join(self.anew)}")
        if self.after:
            meaning.append(
                f"after that, unless what they read comes out the same: {', '.join(self.after)}"
            )
        if self.moved:
            meaning.append(f"run in another way, with the same results: {', '.join(self.moved)}")
        if meaning:
            lines += ["what it means:", *(f"  {each}" for each in meaning)]
        return "\n".join(lines) + "\n"


def pipeline_difference(old: PipelineDescription, new: PipelineDescription) -> PipelineDifference:
    """Return what differs between two forms of a pipeline.

    Args:
        old: The earlier one.
        new: The later one.
    """
    changes = [*_of_pipeline(old, new)]
    known = {name: each for name, each in new.nodes.items() if name in old.nodes}
    changes += [f"{name} is gone" for name in old.nodes if name not in new.nodes]
    changes += [f"{name} is new" for name in new.nodes if name not in old.nodes]
    told: dict[str, list[str]] = {}
    anew, moved = set(new.nodes) - set(known), set()
    defaults = {name for name, _, _ in _pairs(old.defaults, new.defaults)}
    for name, node in known.items():
        before = old.nodes[name]
        computed = list(_pairs(before.computes, node.computes))
        run = list(_pairs(before.runs, node.runs))
        compared = node.compared & {words for words, _, _ in run}
        if computed or compared or node.parameters & defaults:
            anew.add(name)
        elif run:
            moved.add(name)
        for words, earlier, later in (*computed, *run):
            told.setdefault(f"{words} {change(earlier, later)}", []).append(name)
    for sentence, names in told.items():
        who = "all nodes" if len(names) == len(known) > 1 else ", ".join(names)
        changes.append(f"{who}: {sentence}")
    after = _after(new, anew)
    return PipelineDifference(
        tuple(changes),
        tuple(name for name in new.nodes if name in anew),
        tuple(name for name in new.nodes if name in after),
        tuple(name for name in new.nodes if name in moved - after),
    )


def _of_pipeline(old: PipelineDescription, new: PipelineDescription) -> Iterator[str]:
    if old.name != new.name:
        yield f"the pipeline's name {change(old.name, new.name)}"
    for words, before, after in _pairs(old.settings, new.settings):
        yield f"{words} {change(before, after)}"
    for name, before, after in _pairs(old.defaults, new.defaults):
        if before is ABSENT:
            yield f"the runtime parameter {name} is new" + (
                ", without a default" if after is None else f", with the default {after!r}"
            )
        elif after is ABSENT:
            yield f"the runtime parameter {name} is gone"
        else:
            yield f"the default of the runtime parameter {name} {change(before, after)}"


def _after(pipeline: PipelineDescription, anew: set[str]) -> set[str]:
    found: set[str] = set()
    for name, node in pipeline.nodes.items():
        if name not in anew and (anew | found) & set(node.upstream):
            found.add(name)
    return found


def _computes(node: GraphNode) -> dict[str, Any]:
    found: dict[str, Any] = {"the component": node.component or node.kind}
    found |= {f"parameter {key}": value for key, value in node.parameters.items()}
    for key, edges in node.inputs.items():
        found[f"input {key}"] = ", ".join(f"{each.producer}.{each.key}" for each in edges)
    if node.beam_pipeline_args:
        found["beam_pipeline_args"] = list(node.beam_pipeline_args)
    return found


def _settings(node: GraphNode) -> dict[str, Any]:
    read = {each.producer for edges in node.inputs.values() for each in edges}
    waits = [each for each in node.upstream if each not in read]
    found: dict[str, Any] = {"waits for": ", ".join(waits)} if waits else {}
    found |= node.policy.to_json()
    found |= node.resources
    return found | {f"pod: {name}": value for name, value in node.pod.items()}


def _pairs(old: Mapping[str, Any], new: Mapping[str, Any]) -> Iterator[tuple[str, Any, Any]]:
    for name in dict.fromkeys([*old, *new]):
        before, after = old.get(name, ABSENT), new.get(name, ABSENT)
        if before is ABSENT or after is ABSENT or before != after:
            yield name, before, after
