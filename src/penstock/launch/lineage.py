"""The lineage of a node's inputs, for components with `USES_LINEAGE`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from penstock.artifacts import Artifact
from penstock.graph import GraphNode


def lineage_entry(
    node: GraphNode,
    execution_id: int | None,
    state: str,
    outputs: Mapping[str, Sequence[Artifact]],
    metrics: Mapping[str, float] | None = None,
) -> dict[str, Any]:
    """Return what `Attempt.lineage` says of one node, as a JSON value.

    Args:
        node: The node.
        execution_id: Its execution; None where there is no store.
        state: How the execution ended.
        outputs: What it wrote, by output key.
        metrics: What it reported.
    """
    return {
        "component": node.type_name,
        "execution_id": execution_id,
        "state": state,
        "upstream": list(node.upstream),
        "parameters": dict(node.parameters),
        "metrics": dict(metrics or {}),
        "outputs": {
            key: [
                {
                    "type": each.TYPE_NAME,
                    "id": each.id,
                    "uri": each.uri,
                    "fingerprint": each.fingerprint,
                    **_span(each),
                }
                for each in artifacts
            ]
            for key, artifacts in outputs.items()
        },
    }


def _span(artifact: Artifact) -> dict[str, Any]:
    """Return which span and version of the data an artifact holds, if it says so."""
    said = {**artifact.properties, **artifact.custom_properties}
    return {name: said[name] for name in ("span", "version") if name in said}


class RunLineage:
    """The executions of a run so far, as JSON values."""

    def __init__(self) -> None:
        self._executions: dict[str, dict[str, Any]] = {}

    def add(
        self,
        node: GraphNode,
        execution_id: int,
        state: str,
        outputs: Mapping[str, Sequence[Artifact]],
        metrics: Mapping[str, float],
    ) -> None:
        """Remember how a node ended."""
        self._executions[node.id] = lineage_entry(node, execution_id, state, outputs, metrics)

    def of(self, node: GraphNode) -> dict[str, Any]:
        """Return node to execution for all that a node comes after."""
        pending, found = list(node.upstream), set[str]()
        while pending:
            name = pending.pop()
            if name not in found and name in self._executions:
                found.add(name)
                pending.extend(self._executions[name]["upstream"])
        return {name: each for name, each in self._executions.items() if name in found}
