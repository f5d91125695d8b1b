"""Executions: registered RUNNING, then published, failed or canceled, one transaction each."""

from __future__ import annotations

import json
import uuid
from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any

from penstock.artifacts import Artifact, ArtifactState
from penstock.store import sql
from penstock.store.base import StoreBase, milliseconds
from penstock.store.contexts import ContextName
from penstock.store.exceptions import RecordNotFound, StoreError
from penstock.store.properties import artifact_columns, execution_columns
from penstock.store.records import CachedExecution, EventType, ExecutionState, Resources

Artifacts = Mapping[str, Sequence[Artifact]]
_ENDED = (ExecutionState.COMPLETE, ExecutionState.CACHED)
# What TFX keeps of an execution's end: gRPC's codes INTERNAL and CANCELLED.
_CODES = {ExecutionState.FAILED: 13, ExecutionState.CANCELED: 1}
_STATE = "SELECT last_known_state FROM Execution WHERE id = ?"


class Executions(StoreBase):
    """The part of the store that writes what nodes do."""

    def register_execution(
        self,
        *,
        run_id: str,
        node_id: str,
        type_name: str,
        base_type: str | None = None,
        parameters: Mapping[str, Any] | None = None,
        inputs: Artifacts | None = None,
        cache_key: str | None = None,
        key_parts: Mapping[str, Any] | None = None,
        attempt: int = 1,
        log_path: str | None = None,
        lease: str | None = None,
    ) -> int:
        """Write an execution that begins, RUNNING, and return its id.

        Args:
            run_id: A run that `create_run` wrote.
            node_id: The node.
            type_name: TFX's class path of the component, or the user's.
            base_type: ML Metadata's base type of the component, such as `mlmd.Train`.
            parameters: Execution parameters, kept as custom properties; None values are left out.
            inputs: Published artifacts by input key.
            cache_key: Hex digest; the name of an `execution_cache` context. None: cache off.
            key_parts: The cache key in readable form, JSON values.
            attempt: 1 for the first try.
            log_path: Where its log is kept; `{execution_id}` in it stands for the returned id.
            lease: The lease that it belongs to; the run's by default.

        Raises:
            RecordNotFound: If there is no such run.
            StoreError: If an input was never published.
        """
        return self._session.atomically(
            lambda: self._register(
                ExecutionState.RUNNING,
                run_id=run_id,
                node_id=node_id,
                type_name=type_name,
                base_type=base_type,
                parameters=parameters or {},
                inputs=inputs or {},
                cache_key=cache_key,
                key_parts=key_parts,
                attempt=attempt,
                log_path=log_path,
                lease=lease,
            )
        )

    def publish(
        self,
        execution_id: int,
        outputs: Artifacts,
        *,
        resources: Resources | None = None,
        metrics: Mapping[str, float] | None = None,
        properties: Mapping[str, Any] | None = None,
    ) -> None:
        """Make a running execution COMPLETE and its outputs live, all at once.

        Each output gets its `id`, and its `state` becomes LIVE.

        Args:
            execution_id: From `register_execution`.
            outputs: Unpublished artifacts by output key.
            resources: What the attempt used.
            metrics: What it reported.
            properties: Further execution properties, known only now.

        Raises:
            StoreError: If the execution is not RUNNING, so that two publishers cannot both win.
        """

        def write() -> None:
            state = self._write_outputs(execution_id, outputs)
            if state != ExecutionState.RUNNING:
                raise StoreError(
                    f"Execution {execution_id} cannot be published: it is "
                    f"{ExecutionState(state).name}, expected RUNNING. Its lease was lost, or it "
                    "was published before."
                )
            self._end(execution_id, ExecutionState.COMPLETE, None, resources, metrics, properties)

        self._session.atomically(write)

    def publish_cached(
        self,
        cached: CachedExecution,
        *,
        run_id: str,
        node_id: str,
        type_name: str,
        base_type: str | None = None,
        parameters: Mapping[str, Any] | None = None,
        inputs: Artifacts | None = None,
        cache_key: str | None = None,
        key_parts: Mapping[str, Any] | None = None,
        metrics: Mapping[str, float] | None = None,
    ) -> int:
        """Write an execution, CACHED, whose outputs are those of `cached`; return its id.

        Args:
            cached: From `find_cached`.
            run_id: A run that `create_run` wrote.
            node_id: The node.
            type_name: As for `register_execution`.
            base_type: As for `register_execution`.
            parameters: As for `register_execution`.
            inputs: As for `register_execution`.
            cache_key: As for `register_execution`.
            key_parts: As for `register_execution`.
            metrics: What the earlier execution reported.
        """

        def write() -> int:
            execution_id = self._register(
                ExecutionState.CACHED,
                run_id=run_id,
                node_id=node_id,
                type_name=type_name,
                base_type=base_type,
                parameters=parameters or {},
                inputs=inputs or {},
                cache_key=cache_key,
                key_parts=key_parts,
                cached_from=cached.execution_id,
            )
            self._write_events(execution_id, cached.outputs, EventType.OUTPUT)
            self._execution_contexts.pop(execution_id, None)
            if metrics:
                self._session.execute(
                    "UPDATE penstock_execution SET metrics = ? WHERE execution_id = ?",
                    (json.dumps(dict(metrics)), execution_id),
                )
            return execution_id

        return self._session.atomically(write)

    def publish_resolved(
        self,
        outputs: Artifacts,
        *,
        run_id: str,
        node_id: str,
        type_name: str = "tfx.dsl.components.common.resolver.Resolver",
        parameters: Mapping[str, Any] | None = None,
        inputs: Artifacts | None = None,
    ) -> int:
        """Write a resolver's execution, COMPLETE, over artifacts published before.

        Args:
            outputs: What it resolved to, by output key; linked by INTERNAL_OUTPUT events.
            run_id: A run that `create_run` wrote.
            node_id: The node.
            type_name: Class path of the resolver.
            parameters: As for `register_execution`.
            inputs: As for `register_execution`.
        """

        def write() -> int:
            execution_id = self._register(
                ExecutionState.COMPLETE,
                run_id=run_id,
                node_id=node_id,
                type_name=type_name,
                parameters=parameters or {},
                inputs=inputs or {},
            )
            self._write_events(execution_id, outputs, EventType.INTERNAL_OUTPUT)
            self._execution_contexts.pop(execution_id, None)
            return execution_id

        return self._session.atomically(write)

    def publish_imported(
        self,
        outputs: Artifacts,
        *,
        run_id: str,
        node_id: str,
        type_name: str = "tfx.dsl.components.common.importer.Importer",
        parameters: Mapping[str, Any] | None = None,
    ) -> int:
        """Write an importer's execution: COMPLETE for new artifacts, CACHED for published ones.

        Args:
            outputs: What it imported, by output key; an artifact that has an `id` is reused.
            run_id: A run that `create_run` wrote.
            node_id: The node.
            type_name: Class path of the importer.
            parameters: As for `register_execution`.
        """
        reused = all(a.id is not None for artifacts in outputs.values() for a in artifacts)
        state = ExecutionState.CACHED if reused else ExecutionState.COMPLETE

        def write() -> int:
            execution_id = self._register(
                state,
                run_id=run_id,
                node_id=node_id,
                type_name=type_name,
                parameters=parameters or {},
                inputs={},
            )
            self._write_outputs(execution_id, outputs)
            self._execution_contexts.pop(execution_id, None)
            return execution_id

        return self._session.atomically(write)

    def fail(
        self,
        execution_id: int,
        reason: str,
        *,
        resources: Resources | None = None,
        metrics: Mapping[str, float] | None = None,
    ) -> None:
        """Make a running execution FAILED; on a full disk too. Does nothing if it has ended.

        Args:
            execution_id: From `register_execution`.
            reason: What a person reads: the exception, the signal, the timeout.
            resources: What the attempt used.
            metrics: What it reported.
        """
        self._fail(execution_id, ExecutionState.FAILED, reason, resources, metrics)

    def cancel(
        self, execution_id: int, reason: str = "canceled", *, resources: Resources | None = None
    ) -> None:
        """Make a running execution CANCELED; on a full disk too. Does nothing if it has ended."""
        self._fail(execution_id, ExecutionState.CANCELED, reason, resources, None)

    def _fail(
        self,
        execution_id: int,
        state: ExecutionState,
        reason: str,
        resources: Resources | None,
        metrics: Mapping[str, float] | None,
    ) -> None:
        self._with_reserve(
            lambda: self._fail_running(execution_id, state, reason, resources, metrics)
        )

    def _fail_running(
        self,
        execution_id: int,
        state: ExecutionState,
        reason: str,
        resources: Resources | None,
        metrics: Mapping[str, float] | None,
    ) -> None:
        found = self._session.query(_STATE + self._session.for_update, (execution_id,))
        if not found:
            raise RecordNotFound(
                f"There is no execution {execution_id} in the store {self.location}."
            )
        if found[0][0] == ExecutionState.RUNNING:
            result = json.dumps({"result_message": reason, "code": _CODES[state]})
            properties = {"__execution_result__": result}
            self._end(execution_id, state, reason, resources, metrics, properties)

    def _register(
        self,
        state: ExecutionState,
        *,
        run_id: str,
        node_id: str,
        type_name: str,
        parameters: Mapping[str, Any],
        inputs: Artifacts,
        base_type: str | None = None,
        cache_key: str | None = None,
        key_parts: Mapping[str, Any] | None = None,
        attempt: int = 1,
        log_path: str | None = None,
        lease: str | None = None,
        cached_from: int | None = None,
    ) -> int:
        session = self._session
        pipeline = self.require_run(run_id)
        type_id = self._types.execution(type_name, base_type)
        names = _context_names(pipeline, run_id, node_id, cache_key)
        now = milliseconds()
        row = (type_id, int(state), str(uuid.uuid4()), now, now)
        contexts = self._contexts.known(names)
        if contexts is None:
            found, ((execution_id,),) = session.fetch(
                self._contexts.upsert(names), (sql.EXECUTION, row)
            )
            self._contexts.remember(found)
            contexts = self._contexts.ids(*names)
        else:
            ((execution_id,),) = session.fetch((sql.EXECUTION, row))[0]
        session.insert(sql.ASSOCIATION, [(context, execution_id) for context in contexts])
        session.insert(
            sql.EXECUTION_PROPERTY,
            [(execution_id, *columns) for columns in execution_columns(parameters)],
        )
        self._execution_contexts[execution_id] = contexts
        session.on_rollback(lambda: self._execution_contexts.pop(execution_id, None))
        self._write_events(execution_id, inputs, EventType.INPUT)
        session.insert(
            sql.PENSTOCK_EXECUTION,
            [
                (
                    execution_id,
                    run_id,
                    pipeline,
                    node_id,
                    attempt,
                    cache_key,
                    None if key_parts is None else json.dumps(key_parts, default=str),
                    run_id if lease is None else lease,
                    None
                    if log_path is None
                    else log_path.replace("{execution_id}", str(execution_id)),
                    now,
                    now if state in _ENDED else None,
                    cached_from,
                )
            ],
        )
        return int(execution_id)

    def _contexts_of(self, execution_id: int) -> list[int]:
        """Return the contexts of an execution, `execution_cache` last if it has one."""
        known = self._execution_contexts.get(execution_id)
        if known is None:
            rows = self._session.query(
                "SELECT pipeline, run_id, node_id, cache_key FROM penstock_execution "
                "WHERE execution_id = ?",
                (execution_id,),
            )
            if not rows:
                raise RecordNotFound(
                    f"There is no execution {execution_id} of a run in the store {self.location}."
                )
            known = self._contexts.ids(*_context_names(*rows[0]))
            self._execution_contexts[execution_id] = known
        return known

    def _write_outputs(self, execution_id: int, outputs: Artifacts) -> int:
        """Write those outputs that are new, and the events of all; return the execution's state."""
        session = self._session
        new = [
            (artifact, key, index)
            for key, artifacts in outputs.items()
            for index, artifact in enumerate(artifacts)
            if artifact.id is None
        ]
        now = milliseconds()
        live = int(ArtifactState.LIVE)
        rows = [
            (self._types.artifact(type(a)), a.uri, live, a.name or None, now, now)
            for a, _, _ in new
        ]
        columns = [
            artifact_columns(a.TYPE_NAME, a.PROPERTIES, a.properties, a.custom_properties)
            for a, _, _ in new
        ]
        found, *ids = session.fetch(
            (_STATE + session.for_update, (execution_id,)), *[(sql.ARTIFACT, row) for row in rows]
        )
        if not found:
            raise RecordNotFound(
                f"There is no execution {execution_id} in the store {self.location}."
            )
        own = []
        for (artifact, key, index), ((number,),) in zip(new, ids, strict=True):
            session.on_rollback(partial(_unpublish, artifact, artifact.state))
            artifact.id = number
            artifact.state = ArtifactState.LIVE
            own.append((number, artifact.fingerprint, execution_id, key, index))
        session.insert(sql.PENSTOCK_ARTIFACT, own)
        session.insert(
            sql.ARTIFACT_PROPERTY,
            [
                (number, *row)
                for ((number,),), of_artifact in zip(ids, columns, strict=True)
                for row in of_artifact
            ],
        )
        self._write_events(execution_id, outputs, EventType.OUTPUT)
        return int(found[0][0])

    def _write_events(self, execution_id: int, artifacts: Artifacts, kind: EventType) -> None:
        """Link published artifacts to an execution and to its contexts."""
        contexts = self._contexts_of(execution_id)
        if kind is EventType.INPUT:
            # As TFX: an input belongs to the pipeline, the run and the node, not to the cache.
            contexts = contexts[:3]
        now = milliseconds()
        paths: list[tuple[bool, int | None, str | None, int, int, int]] = []
        numbers: dict[int, None] = {}
        for key, values in artifacts.items():
            for index, artifact in enumerate(values):
                number = artifact.id
                if number is None:
                    raise StoreError(
                        f"The artifact {artifact.uri!r} under {key!r} is in no store yet (its id "
                        "is None). Publish the execution that wrote it first."
                    )
                numbers[number] = None
                paths.append((False, None, key, number, execution_id, int(kind)))
                paths.append((True, index, None, number, execution_id, int(kind)))
        if not numbers:
            return
        session = self._session
        session.insert(sql.EVENT, [(number, execution_id, int(kind), now) for number in numbers])
        session.execute_each(sql.EVENT_PATH, paths)
        session.insert(
            sql.ATTRIBUTION, [(context, number) for number in numbers for context in contexts]
        )

    def _end(
        self,
        execution_id: int,
        state: ExecutionState,
        error: str | None,
        resources: Resources | None,
        metrics: Mapping[str, float] | None,
        properties: Mapping[str, Any] | None,
    ) -> None:
        now = milliseconds()
        used = resources or Resources()
        session = self._session
        session.execute(
            "UPDATE Execution SET last_known_state = ?, last_update_time_since_epoch = ? "
            "WHERE id = ?",
            (int(state), now, execution_id),
        )
        session.execute(
            "UPDATE penstock_execution SET finished = ?, error = ?, wall_seconds = ?, "
            "cpu_seconds = ?, peak_rss_bytes = ?, bytes_written = ?, metrics = ? "
            "WHERE execution_id = ?",
            (
                now,
                error,
                used.wall_seconds,
                used.cpu_seconds,
                used.peak_rss_bytes,
                used.bytes_written,
                json.dumps(dict(metrics)) if metrics else None,
                execution_id,
            ),
        )
        if properties:
            rows = [(execution_id, *columns) for columns in execution_columns(properties)]
            session.insert(sql.EXECUTION_PROPERTY, rows)
        self._execution_contexts.pop(execution_id, None)


def _context_names(
    pipeline: str, run_id: str, node_id: str, cache_key: str | None
) -> list[ContextName]:
    names = [("pipeline", pipeline), ("pipeline_run", run_id), ("node", f"{pipeline}.{node_id}")]
    return names if cache_key is None else [*names, ("execution_cache", cache_key)]


def _unpublish(artifact: Artifact, state: ArtifactState) -> None:
    artifact.id = None
    artifact.state = state
