"""A node's life as the parent sees it: resolve, look up the cache, register, publish."""

from __future__ import annotations

import contextlib
import dataclasses
import os
import shutil
import time
import traceback
from collections.abc import Mapping, Sequence

from penstock.artifacts import Artifact, Verdict, layout, location
from penstock.dsl.component import Component
from penstock.dsl.interface import MISSING
from penstock.dsl.references import resolve
from penstock.dsl.resolver import OTHER_THAN
from penstock.graph import Edge, Graph, GraphNode
from penstock.launch.attempt import (
    Attempt,
    AttemptResult,
    RunSettings,
    output_folder,
)
from penstock.launch.attempt_log import append_to_log
from penstock.launch.cache_key import CacheKeys, KeyParts, digest_of
from penstock.launch.cache_miss import cache_miss
from penstock.launch.checkpoints import remove_checkpoints
from penstock.launch.digest_memo import DigestMemo
from penstock.launch.epoch_recorder import EpochRecorder
from penstock.launch.gates import held_back
from penstock.launch.lineage import RunLineage
from penstock.launch.outputs import discard_outputs
from penstock.launch.resolution import (
    Outputs,
    as_declared,
    import_artifact,
    published_before,
    resolve_artifacts,
)
from penstock.launch.tracebacks import is_refusal
from penstock.store import CachedExecution, MetadataStore, StoreError


class InputMissing(RuntimeError):
    """A node needs an artifact that nothing gave it."""


class HeldBack(InputMissing):
    """A gate outside of the graph rejected what a node would read."""


class NotStarted(RuntimeError):
    """A node could not be attempted: an input, a file or the store failed it.

    Args:
        reason: One line.
        execution_id: The failed execution in the store, or None if even that could not be written.
        traceback: Of the user's code, if that raised.
    """

    def __init__(self, reason: str, execution_id: int | None, traceback: str = "") -> None:
        super().__init__(reason)
        self.execution_id = execution_id
        self.traceback = traceback


@dataclasses.dataclass(frozen=True, slots=True)
class Ended:
    """A node that ended without an attempt: cached, resolved or imported.

    Attributes:
        execution_id: Row in the store.
        state: `CACHED` or `COMPLETE`.
        outputs: Artifacts by key.
        metrics: What it reported when it ran.
        verdict: What it said when it ran.
    """

    execution_id: int
    state: str
    outputs: Outputs
    metrics: Mapping[str, float] = dataclasses.field(default_factory=dict)
    verdict: Verdict | None = None


class Launcher:
    """Takes the nodes of one run through their lives, but for executing them.

    It is used by one thread. All its writing to the store is in transactions that are whole.

    Args:
        store: The metadata store.
        graph: The pipeline, its runtime parameters bound.
        settings: Of the run.
        memo: Remembers digests of files.
        cache: Whether earlier results may be reused in this run.
        base_run: Run from which nodes outside the graph are read; None for the latest of each.
        system_root: Folder below which logs and scratch folders lie; the pipeline's root by default.
    """

    def __init__(
        self,
        store: MetadataStore,
        graph: Graph,
        settings: RunSettings,
        memo: DigestMemo,
        *,
        cache: bool = True,
        base_run: str | None = None,
        system_root: str | None = None,
    ) -> None:
        self._store = store
        self._graph = graph
        self._settings = settings
        self._keys = CacheKeys(settings, memo)
        self._cache = cache and graph.enable_cache
        self._base_run = base_run
        self._system_root = system_root or settings.pipeline_root
        self._outside: dict[str, Outputs] = {}
        self._lineage = RunLineage()
        self._epochs = EpochRecorder(store)
        self._first = 1  # the number of the next node's first attempt
        self.published: dict[str, Outputs] = {}
        self.key_parts: dict[str, KeyParts] = {}

    @property
    def is_cold(self) -> bool:
        """Whether it is certain that nodes must run: the cache is off, or the pipeline is new."""
        run = self._settings.run_id
        return not self._cache or (
            self._store.latest_run(self._settings.pipeline, before=run) is None
        )

    def adopt(
        self,
        node: GraphNode,
        execution_id: int,
        state: str,
        outputs: Outputs,
        metrics: Mapping[str, float] | None = None,
    ) -> None:
        """Adopt what an earlier session of this run published.

        Args:
            node: The node.
            execution_id: Row in the store.
            state: `COMPLETE` or `CACHED`.
            outputs: Artifacts by key.
            metrics: What it reported.
        """
        self._finish(node, execution_id, state, as_declared(node, outputs), metrics)

    def begin(self, node: GraphNode) -> Ended | Attempt:
        """Resolve a node's inputs, look it up in the cache, and register it if it must run.

        Returns:
            How it ended, if it needs no execution, else the registered attempt.

        Raises:
            NotStarted: If it failed before it could run: a required input has no artifact, a file does
                not exist, the store cannot be written. It is recorded as FAILED where that is possible.
        """
        try:
            if node.kind == "resolver":
                return self._resolve(node)
            if node.kind == "importer":
                return self._import(node)
            return self._begin(node)
        except Exception as error:
            raise self._not_started(node, error) from error

    def _begin(self, node: GraphNode) -> Ended | Attempt:
        inputs = self._inputs(node)
        if objection := held_back(node, self._graph, inputs, self._store):
            raise HeldBack(objection)
        parts = self._keys.parts(node, inputs)
        self.key_parts[node.id] = parts
        cached = self._cache and node.policy.cache
        key = digest_of(parts) if cached else None
        if key is not None:
            hit = self._find(node, key)
            if hit is not None:
                execution_id = self._store.publish_cached(
                    hit,
                    run_id=self._settings.run_id,
                    node_id=node.id,
                    type_name=node.type_name,
                    base_type=node.type_annotation,
                    parameters=node.parameters,
                    inputs=inputs,
                    cache_key=key,
                    key_parts=parts,
                    judged=self._judged(node),
                )
                self._finish(node, execution_id, "CACHED", hit.outputs, hit.metrics)
                return Ended(execution_id, "CACHED", hit.outputs, hit.metrics, hit.verdict)
        return self._register(node, inputs, key, parts, self._first)

    def _not_started(self, node: GraphNode, error: Exception) -> NotStarted:
        expected = isinstance(error, (InputMissing, OSError, StoreError)) or is_refusal(error)
        reason = (
            str(error) if isinstance(error, InputMissing) else f"{type(error).__name__}: {error}"
        )
        text = "" if expected else "".join(traceback.format_exception(error))
        execution_id = None
        if not isinstance(error, StoreError):
            with contextlib.suppress(StoreError):
                execution_id = self._store.register_execution(
                    run_id=self._settings.run_id,
                    node_id=node.id,
                    type_name=node.type_name,
                    base_type=node.type_annotation,
                    parameters=node.parameters,
                    attempt=self._first,
                )
                self._store.fail(execution_id, reason)
        return NotStarted(reason, execution_id, text)

    def retry(self, attempt: Attempt) -> Attempt:
        """Register a further attempt, with folders of its own, after `attempt` has failed.

        Raises:
            NotStarted: If the store cannot be written.
        """
        parts = self.key_parts[attempt.node.id]
        key = digest_of(parts) if self._cache and attempt.node.policy.cache else None
        try:
            return self._register(attempt.node, attempt.inputs, key, parts, attempt.number + 1)
        except StoreError as error:
            raise self._not_started(attempt.node, error) from error

    def why_it_runs(self, attempt: Attempt) -> str:
        """Return in a few words why an attempt was not found in the cache."""
        if not (self._cache and attempt.node.policy.cache):
            return "cache off"
        return cache_miss(
            self._store,
            self._settings.pipeline,
            attempt.node.id,
            self.key_parts[attempt.node.id],
            attempt.execution_id,
        )

    def epoch_reported(self, attempt: Attempt, epoch: int, metrics: Mapping[str, float]) -> None:
        """Record an epoch of training; unlike the rest it may be called from any thread.

        Args:
            attempt: What trains.
            epoch: The number of the epoch, from 1.
            metrics: Its metrics.
        """
        self._epochs.add(attempt.execution_id, epoch, metrics)

    def publish(self, attempt: Attempt, result: AttemptResult) -> None:
        """Make what a successful attempt wrote visible, in one transaction.

        Raises:
            penstock.store.StoreError: If it cannot be recorded; nothing is visible then.
        """
        self._epochs.end(attempt.execution_id)
        outputs = {key: [artifact] for key, artifact in result.outputs.items()}
        self._store.publish(
            attempt.execution_id,
            outputs,
            usage=result.usage,
            metrics=result.metrics,
            verdict=result.verdict,
            judged=self._judged(attempt.node),
        )
        self._finish(attempt.node, attempt.execution_id, "COMPLETE", outputs, result.metrics)

    def fail(self, attempt: Attempt, reason: str, result: AttemptResult | None = None) -> None:
        """Record a failed attempt and remove what it wrote; its log is kept.

        What a gate wrote that rejected what it judged is published with its failed execution.

        Args:
            attempt: What failed.
            reason: One line.
            result: What is known of it; None if its process died.
        """
        self._epochs.end(attempt.execution_id)
        if result is None:
            discard(attempt)
            append_to_log(attempt.log_path, f"penstock: {reason}\n")
            self._store.fail(attempt.execution_id, reason)
            return
        # Of a success that could not be recorded nothing is kept.
        kept = result.outputs if result.rejected else {}
        if not kept:
            discard(attempt)
        self._store.fail(
            attempt.execution_id,
            reason,
            usage=result.usage,
            metrics=result.metrics,
            outputs={key: [artifact] for key, artifact in kept.items()},
            verdict=result.verdict,
            judged=self._judged(attempt.node) if result.rejected else (),
        )

    def cancel(self, attempt: Attempt, reason: str) -> None:
        """Record an attempt that was ended from outside, and remove what it wrote."""
        self._epochs.end(attempt.execution_id)
        discard(attempt)
        append_to_log(attempt.log_path, f"penstock: {reason}\n")
        self._store.cancel(attempt.execution_id, reason)

    def _register(
        self, node: GraphNode, inputs: Outputs, key: str | None, parts: KeyParts, number: int
    ) -> Attempt:
        execution_id = self._store.register_execution(
            run_id=self._settings.run_id,
            node_id=node.id,
            type_name=node.type_name,
            base_type=node.type_annotation,
            parameters=node.parameters,
            inputs=inputs,
            cache_key=key,
            key_parts=parts,
            attempt=number,
            log_path=layout.log_file(self._system_root, node.id, "{execution_id}"),
        )
        attempt = Attempt.laid_out(
            node,
            self._settings,
            execution_id,
            number=number,
            inputs=inputs,
            system_root=self._system_root,
            lineage=self._lineage.of(node) if node.uses_lineage else {},
            key_parts=parts,
        )
        for artifact in attempt.outputs.values():
            move_aside(output_folder(artifact), self._settings.pipeline_root)
        return attempt

    def _find(self, node: GraphNode, key: str) -> CachedExecution | None:
        hit = self._store.find_cached(key, max_age_seconds=node.policy.cache_max_age_seconds)
        if hit is None:
            return None
        if not all(location.exists(each.uri) for of in hit.outputs.values() for each in of):
            return None
        outputs = as_declared(node, hit.outputs)
        if not self._keys.is_current(node, outputs):
            return None
        declared = {key: list(each) for key, each in outputs.items()}
        return dataclasses.replace(hit, outputs=declared)

    def _inputs(self, node: GraphNode) -> dict[str, Sequence[Artifact]]:
        """Return a node's input artifacts; keys without an artifact are left out."""
        inputs: dict[str, Sequence[Artifact]] = {}
        for key, edges in node.inputs.items():
            artifacts = [each for edge in edges for each in self._outputs_of(edge)]
            if artifacts:
                inputs[key] = artifacts
        component_class: type[Component] = resolve(node.component)
        interface = component_class.interface()
        needed = {key for key, spec in interface.inputs.items() if not spec.optional}
        # A default stands in for what a node of this run did not write, not for one that never ran.
        needed |= {
            key
            for key, spec in interface.parameters.items()
            for edge in node.inputs.get(key, ())
            if spec.default is MISSING or self._outside.get(edge.producer) == {}
        }
        for key in needed:
            if key not in inputs:
                sources = ", ".join(f"{edge.producer}.{edge.key}" for edge in node.inputs[key])
                raise InputMissing(
                    f"{node.id} needs an artifact for {key!r}; {sources} gave none. Run what produces "
                    "it first."
                )
        return inputs

    def _judged(self, node: GraphNode) -> list[int]:
        """Return the ids of the artifacts that a gate judges."""
        return [
            artifact.id
            for edge in node.judges
            for artifact in self._outputs_of(edge)
            if artifact.id is not None
        ]

    def _outputs_of(self, edge: Edge) -> Sequence[Artifact]:
        if edge.producer in self.published:
            return self.published[edge.producer].get(edge.key, ())
        if any(node.id == edge.producer for node in self._graph.nodes):
            # It failed: what it wrote in an earlier run is not what this run makes.
            return ()
        if edge.producer not in self._outside:
            pipeline = self._settings.pipeline
            # In a container the other nodes of the run are outside of the graph, too.
            found = self._store.node_outputs(
                pipeline, edge.producer, run_id=self._settings.run_id
            ) or self._store.node_outputs(pipeline, edge.producer, run_id=self._base_run)
            self._outside[edge.producer] = found or {}
        return self._outside[edge.producer].get(edge.key, ())

    def _resolve(self, node: GraphNode) -> Ended:
        current = [
            each for edge in node.inputs.get(OTHER_THAN, ()) for each in self._outputs_of(edge)
        ]
        outputs = resolve_artifacts(self._store, node, self._settings.pipeline, current)
        execution_id = self._store.publish_resolved(
            outputs,
            run_id=self._settings.run_id,
            node_id=node.id,
            type_name=node.type_name,
            inputs={OTHER_THAN: current} if current else {},
        )
        self._finish(node, execution_id, "COMPLETE", outputs)
        return Ended(execution_id, "COMPLETE", outputs)

    def _import(self, node: GraphNode) -> Ended:
        key, artifact = import_artifact(node, self._absolute)
        reimport = node.parameters["reimport"]
        known = None if reimport else published_before(self._store, artifact)
        outputs: Outputs = {key: [known or artifact]}
        execution_id = self._store.publish_imported(
            outputs,
            run_id=self._settings.run_id,
            node_id=node.id,
            type_name=node.type_name,
            parameters=node.parameters,
        )
        outputs = as_declared(node, outputs)
        state = "CACHED" if known else "COMPLETE"
        self._finish(node, execution_id, state, outputs)
        return Ended(execution_id, state, outputs)

    def _finish(
        self,
        node: GraphNode,
        execution_id: int,
        state: str,
        outputs: Outputs,
        metrics: Mapping[str, float] | None = None,
    ) -> None:
        if node.kind == "component":
            remove_checkpoints(self._settings.pipeline_root, node.id, self._settings.run_id)
        self.published[node.id] = outputs
        self._lineage.add(node, execution_id, state, outputs, metrics or {})

    def _absolute(self, path: str) -> str:
        return location.absolute(path, self._settings.project_root)


def discard(attempt: Attempt) -> None:
    """Remove what an attempt wrote, but for its log."""
    discard_outputs(attempt.outputs.values())
    shutil.rmtree(attempt.working_dir, ignore_errors=True)


def move_aside(folder: str, pipeline_root: str) -> None:
    """Move a folder that no execution can own out of the way of a new one.

    It may hold what a store knew that was lost, so it is kept, in `{root}/.aside/`.
    """
    if location.is_local(folder) and os.path.exists(folder):
        name = os.path.relpath(folder, pipeline_root).replace(os.sep, "-")
        target = os.path.join(pipeline_root, ".aside", f"{name}-{time.time_ns()}")
        os.makedirs(os.path.dirname(target), exist_ok=True)
        os.rename(folder, target)
