"""Rows of an execution: itself, its contexts, events, artifacts and properties."""

from __future__ import annotations

import json
import uuid
from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any

from penstock.artifacts import Artifact, ArtifactState, Verdict
from penstock.store import sql
from penstock.store.base import StoreBase, milliseconds
from penstock.store.exceptions import RecordNotFound, StoreError
from penstock.store.publishing.contexts import ContextName
from penstock.store.records import EventType, ExecutionState, Usage
from penstock.store.schema.properties import artifact_columns, execution_columns

Artifacts = Mapping[str, Sequence[Artifact]]
"""Artifacts by input or output key."""

_ENDED = (ExecutionState.COMPLETE, ExecutionState.CACHED)
# What TFX keeps of an execution's end: gRPC's codes INTERNAL and CANCELLED.
_CODES = {ExecutionState.FAILED: 13, ExecutionState.CANCELED: 1}
_STATE = "SELECT last_known_state FROM Execution WHERE id = ?"


class ExecutionRows(StoreBase):
    """What the writing methods of the store are made of; each belongs into a transaction."""

    def _fail_running(
        self,
        execution_id: int,
        state: ExecutionState,
        reason: str,
        usage: Usage | None,
        metrics: Mapping[str, float] | None,
        verdict: Verdict | None = None,
    ) -> bool:
        """Return whether it was running; where it had ended nothing is written."""
        found = self._session.query(_STATE + self._session.for_update, (execution_id,))
        if not found:
            raise RecordNotFound(
                f"There is no execution {execution_id} in the store {self.location}."
            )
        if found[0][0] != ExecutionState.RUNNING:
            return False
        result = json.dumps({"result_message": reason, "code": _CODES[state]})
        properties = {"__execution_result__": result}
        self._end(execution_id, state, reason, usage, metrics, properties, verdict)
        return True

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
                        f"The artifact {artifact.uri!r} under {key!r} is not in a store yet (its id "
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
        usage: Usage | None,
        metrics: Mapping[str, float] | None,
        properties: Mapping[str, Any] | None,
        verdict: Verdict | None,
    ) -> None:
        now = milliseconds()
        used = usage or Usage()
        session = self._session
        session.execute(
            "UPDATE Execution SET last_known_state = ?, last_update_time_since_epoch = ? "
            "WHERE id = ?",
            (int(state), now, execution_id),
        )
        session.execute(
            "UPDATE penstock_execution SET finished = ?, error = ?, wall_seconds = ?, "
            "cpu_seconds = ?, peak_rss_bytes = ?, bytes_written = ?, metrics = ?, verdict = ?, "
            "start_seconds = ? "
            "WHERE execution_id = ?",
            (
                now,
                error,
                used.wall_seconds,
                used.cpu_seconds,
                used.peak_rss_bytes,
                used.bytes_written,
                json.dumps(dict(metrics)) if metrics else None,
                None if verdict is None else json.dumps(verdict.to_json()),
                used.start_seconds,
                execution_id,
            ),
        )
        if properties:
            rows = [(execution_id, *columns) for columns in execution_columns(properties)]
            session.insert(sql.EXECUTION_PROPERTY, rows)
        self._execution_contexts.pop(execution_id, None)

    def _judge(self, execution_id: int, judged: Sequence[int], *, passed: bool) -> None:
        """Record a gate's word on artifacts: the last one of each gate holds."""
        if not judged:
            return
        session = self._session
        rows = session.query(
            "SELECT pipeline, node_id FROM penstock_execution WHERE execution_id = ?",
            (execution_id,),
        )
        for pipeline, node_id in rows:
            key = [(number, pipeline, node_id) for number in dict.fromkeys(judged)]
            session.execute_each(
                "DELETE FROM penstock_rejection WHERE artifact_id = ? AND pipeline = ? "
                "AND node_id = ?",
                key,
            )
            if not passed:
                session.insert(sql.PENSTOCK_REJECTION, [(*each, execution_id) for each in key])


def _context_names(
    pipeline: str, run_id: str, node_id: str, cache_key: str | None
) -> list[ContextName]:
    names = [("pipeline", pipeline), ("pipeline_run", run_id), ("node", f"{pipeline}.{node_id}")]
    return names if cache_key is None else [*names, ("execution_cache", cache_key)]


def _unpublish(artifact: Artifact, state: ArtifactState) -> None:
    artifact.id = None
    artifact.state = state
