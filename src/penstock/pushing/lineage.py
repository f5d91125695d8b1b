"""Where a pushed model comes from, as its manifest says it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from penstock.artifacts import Artifact

_DATA = "Examples"


def lineage_of(
    model: Artifact,
    *,
    blessing: Artifact | None = None,
    executions: Mapping[str, Any],
    facts: Mapping[str, Any],
) -> dict[str, Any]:
    """Return a model's lineage for its manifest, as plain values.

    Args:
        model: The model.
        blessing: The verdict on it, if it was judged.
        executions: What led to it: each node's execution, as `context.lineage` has it.
        facts: What else is known by name, such as the pipeline; what is empty is left out.

    Returns:
        The facts, and `model` (id, uri, fingerprint), `metrics` (the
        evaluation's, or else what the training reported), and `data` (a list of the examples with node,
        uri, fingerprint, and span and version if they have them).
    """
    judge = blessing if blessing is not None else model
    return {
        **{name: value for name, value in facts.items() if value not in (None, "")},
        "model": {"id": model.id, "uri": model.uri, "fingerprint": model.fingerprint},
        "metrics": dict(_execution_of(judge, executions).get("metrics") or {}),
        "data": [
            {"node": node, **{key: value for key, value in output.items() if key != "type"}}
            for node, execution in executions.items()
            for outputs in execution["outputs"].values()
            for output in outputs
            if output["type"] == _DATA and not _is_derived(execution, executions)
        ],
    }


def _execution_of(artifact: Artifact, executions: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return the execution that wrote an artifact."""
    for execution in executions.values():
        for outputs in execution["outputs"].values():
            if any(each["uri"] == artifact.uri for each in outputs):
                found: Mapping[str, Any] = execution
                return found
    return {}


def _is_derived(execution: Mapping[str, Any], executions: Mapping[str, Any]) -> bool:
    """Return whether an execution made its examples of other examples, as Transform does."""
    return any(
        output["type"] == _DATA
        for node in execution["upstream"]
        for outputs in executions.get(node, {"outputs": {}})["outputs"].values()
        for output in outputs
    )
