"""Why a node ran, or why it was cached."""

from __future__ import annotations

import dataclasses
import datetime
from collections.abc import Mapping, Sequence
from typing import Any

from penstock.artifacts import ArtifactState, location
from penstock.graph import Graph, GraphNode
from penstock.launch.key_difference import Difference, nearest_key
from penstock.store import ExecutionRecord, ExecutionState, MetadataStore, RunRecord

_CANDIDATES = 20

States = Mapping[str, ExecutionRecord]
"""The last execution of each node of a run."""


@dataclasses.dataclass(frozen=True, slots=True)
class Explanation:
    """Why a node of a run has the state it has.

    Attributes:
        node_id: The node.
        state: COMPLETE, CACHED, FAILED, ... or SKIPPED where it has no execution.
        headline: The verdict, one sentence.
        reasons: What led to it, a sentence each.
        differences: What its cache key and the nearest earlier one disagree on.
        compared_with: Execution that it was compared with, or None.
        compared_run: Run of that execution, or None.
    """

    node_id: str
    state: str
    headline: str
    reasons: tuple[str, ...] = ()
    differences: tuple[Difference, ...] = ()
    compared_with: int | None = None
    compared_run: str | None = None

    def shortened(self, most: int = 18) -> list[str]:
        """Return the reasons, at most about `most`: of each part of the key the first ones.

        What led to the differences comes first; what is left out is counted.
        """
        if len(self.reasons) <= most:
            return list(self.reasons)
        sections = dict.fromkeys(each.section for each in self.differences)
        others = list(self.reasons[len(self.differences) :])
        # A line more for each section says how many are left out.
        shown = max(1, (most - len(others)) // max(1, len(sections)) - 1)
        lines: list[str] = []
        for section in sections:
            found = [each.sentence for each in self.differences if each.section == section]
            kept = found if len(found) <= shown + 1 else found[:shown]
            lines += kept
            if len(kept) < len(found):
                lines.append(f"and {len(found) - len(kept)} more of this kind (--json lists them)")
        return [*lines, *others[: max(0, most - len(lines))]]

    @property
    def short(self) -> str:
        """The main reason, in a few words; empty where there is nothing to say."""
        if self.differences:
            more = f" and {len(self.differences) - 1} more" if len(self.differences) > 1 else ""
            return self.differences[0].sentence + more
        if self.state in ("COMPLETE", "FAILED", "RUNNING") and self.compared_with is None:
            return "first run" if self.reasons else ""
        return self.reasons[0] if self.reasons else ""

    def to_json(self) -> dict[str, Any]:
        """Return the JSON form."""
        return dataclasses.asdict(self)


def explain(
    store: MetadataStore,
    run: RunRecord,
    graph: Graph,
    node_id: str,
    executions: Sequence[ExecutionRecord] | None = None,
) -> Explanation:
    """Return why a node ran, was cached, or did not run.

    Args:
        store: The store that holds the run.
        run: The run.
        graph: Its graph.
        node_id: A node of the graph.
        executions: All executions of the run, if they were read already.

    Raises:
        penstock.dsl.PipelineError: If the graph has no such node.
    """
    node = graph[node_id]
    if executions is None:
        executions = store.run_executions(run.run_id)
    states = {str(each.node_id): each for each in executions}
    attempts = [each for each in executions if each.node_id == node_id]
    if not attempts:
        return _without_execution(node, states)
    execution = attempts[-1]
    state = execution.state.name
    if node.kind == "resolver":
        return Explanation(
            node_id, state, "A resolver looks up its artifacts in every run; it is never cached."
        )
    if node.kind == "importer":
        known = execution.state is ExecutionState.CACHED
        return Explanation(
            node_id,
            state,
            "The same content was imported before; its artifact is reused."
            if known
            else "This content, with these properties, was not known to the store.",
        )
    if execution.state is ExecutionState.CACHED:
        return _cached(store, execution)
    return _ran(store, graph, node, attempts, states)


def _without_execution(node: GraphNode, states: States) -> Explanation:
    failed = [
        each
        for each in node.upstream
        if each in states and states[each].state in (ExecutionState.FAILED, ExecutionState.CANCELED)
    ]
    missing = [each for each in node.upstream if each not in states]
    if failed:
        reasons = tuple(f"{each} failed: {_said(states[each])}" for each in failed)
    elif missing:
        reasons = (f"it waits for {', '.join(missing)}, which also did not run",)
    else:
        reasons = ("the run ended before it, or has not reached it yet",)
    return Explanation(node.id, "SKIPPED", f"{node.id} did not run in this run.", reasons)


def _said(execution: ExecutionRecord) -> str:
    """Return why an execution failed: the verdict of one that rejected its input, else its error."""
    if execution.verdict is not None and not execution.verdict.ok:
        return execution.verdict.text
    return execution.error or ""


def _cached(store: MetadataStore, execution: ExecutionRecord) -> Explanation:
    origin = execution
    while origin.cached_from is not None:
        origin = store.get_execution(origin.cached_from)
    where = f"execution {origin.id}"
    if origin.run_id:
        where += f" of run {origin.run_id}"
    if origin.pipeline and origin.pipeline != execution.pipeline:
        where += f" (pipeline {origin.pipeline})"
    return Explanation(
        str(execution.node_id),
        "CACHED",
        f"Nothing that determines its outputs has changed since {where}, {_when(origin.finished)}.",
        (f"cache key {(execution.cache_key or '')[:16]} is the same",),
        (),
        origin.id,
        origin.run_id,
    )


def _ran(
    store: MetadataStore,
    graph: Graph,
    node: GraphNode,
    attempts: list[ExecutionRecord],
    states: States,
) -> Explanation:
    execution = attempts[-1]
    reasons: list[str] = []
    for each in attempts[:-1]:
        reasons.append(f"attempt {each.attempt} failed: {each.error}")
    earlier = [
        each
        for each in store.nearest_executions(
            graph.name, node.id, before=attempts[0].id, limit=_CANDIDATES
        )
        if each.key_parts
    ]
    nearest = nearest_key(execution.key_parts, [each.key_parts for each in earlier])
    compared = earlier[nearest[0]] if nearest else None
    differences = [_with_producers(each, node, states) for each in (nearest[1] if nearest else [])]
    cache_off = _cache_off(graph, node) if execution.cache_key is None else None
    if cache_off is not None:
        headline = f"It ran because the cache is off {cache_off}."
        if compared is not None and not differences:
            reasons.append("nothing else changed since its last execution")
    elif compared is None:
        headline = "It ran because it never succeeded before."
        reasons.append(f"the store has no earlier execution of {graph.name}.{node.id}")
    elif differences:
        what = "one thing" if len(differences) == 1 else f"{len(differences)} things"
        headline = f"It ran because {what} changed since execution {compared.id}"
        headline += f" of run {compared.run_id}, {_when(compared.finished)}."
    else:
        headline = "It ran although nothing changed: the earlier result could not be reused."
        reasons.append(_unusable(store, node, compared, execution))
    return Explanation(
        node.id,
        execution.state.name,
        headline,
        (*(each.sentence for each in differences), *reasons),
        tuple(differences),
        compared.id if compared else None,
        compared.run_id if compared else None,
    )


def _cache_off(graph: Graph, node: GraphNode) -> str:
    if not graph.enable_cache:
        return "for the pipeline (enable_cache=False)"
    if not node.policy.cache:
        return "for this node (with_policy(cache=False))"
    return "for the run (--no-cache)"


def _unusable(
    store: MetadataStore, node: GraphNode, earlier: ExecutionRecord, execution: ExecutionRecord
) -> str:
    """Return why an execution with the same key gave no hit."""
    age = execution.started - (earlier.finished or earlier.started)
    limit = node.policy.cache_max_age_seconds
    if limit is not None and age > limit:
        return (
            f"execution {earlier.id} expired: it was {age:.0f} s old, "
            f"cache_max_age_seconds={limit:g}"
        )
    outputs = store.outputs_of(earlier.id)
    for key, artifacts in outputs.items():
        for artifact in artifacts:
            if artifact.state != ArtifactState.LIVE:
                return (
                    f"output {key} of execution {earlier.id} is {artifact.state.name} "
                    f"({artifact.uri})"
                )
            if not location.exists(artifact.uri):
                return f"output {key} of execution {earlier.id} is gone: {artifact.uri}"
    if earlier.cache_key is None:
        return f"execution {earlier.id} ran with the cache off, so its result is not reused"
    if (earlier.finished or 0.0) > execution.started:
        return f"execution {earlier.id} had not ended when this one began"
    return (
        f"what execution {earlier.id} did outside of the store has been undone, or its outputs were "
        "missing at that time"
    )


def _with_producers(difference: Difference, node: GraphNode, states: States) -> Difference:
    """Return the difference of an input with what its producers did in this run."""
    if difference.section != "inputs" or difference.name not in node.inputs:
        return difference
    words = []
    for producer in dict.fromkeys(edge.producer for edge in node.inputs[difference.name]):
        state = states[producer].state if producer in states else None
        if state is None:
            words.append(f"{producer} is not in this run; its latest artifact was read")
        elif state is ExecutionState.CACHED:
            words.append(f"{producer} was cached, but from another execution")
        elif "importer" in states[producer].type_name.lower():
            words.append(f"{producer} imported different content")
        elif "resolver" in states[producer].type_name.lower():
            words.append(f"{producer} found another artifact")
        else:
            words.append(f"{producer} ran again with a different output")
    if not words:
        return difference
    return dataclasses.replace(difference, sentence=f"{difference.sentence}: {'; '.join(words)}")


def _when(seconds: float | None) -> str:
    if seconds is None:
        return "which has not ended"
    return f"{datetime.datetime.fromtimestamp(seconds):%Y-%m-%d %H:%M}"
