"""Executions: registered RUNNING, then published, failed or canceled, one transaction each."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any

from penstock.artifacts import Verdict
from penstock.store.exceptions import StoreError
from penstock.store.publishing.execution_rows import Artifacts, ExecutionRows
from penstock.store.records import CachedExecution, EventType, ExecutionState, Usage


class Executions(ExecutionRows):
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
        """Write a new RUNNING execution and return its id.

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
        usage: Usage | None = None,
        metrics: Mapping[str, float] | None = None,
        properties: Mapping[str, Any] | None = None,
        verdict: Verdict | None = None,
        judged: Sequence[int] = (),
    ) -> None:
        """Mark a running execution as COMPLETE and its outputs as live, atomically.

        Each output gets its `id`, and its `state` becomes LIVE.

        Args:
            execution_id: From `register_execution`.
            outputs: Unpublished artifacts by output key.
            usage: What the attempt used.
            metrics: What it reported.
            properties: Further execution properties, known only now.
            verdict: What it said of what it judged.
            judged: Artifacts that it let pass, if it is a gate.

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
            self._end(
                execution_id, ExecutionState.COMPLETE, None, usage, metrics, properties, verdict
            )
            self._judge(execution_id, judged, passed=True)

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
        judged: Sequence[int] = (),
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
            judged: As for `publish`.
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
            if cached.metrics or cached.verdict:
                self._session.execute(
                    "UPDATE penstock_execution SET metrics = ?, verdict = ? WHERE execution_id = ?",
                    (
                        json.dumps(dict(cached.metrics)) if cached.metrics else None,
                        json.dumps(cached.verdict.to_json()) if cached.verdict else None,
                        execution_id,
                    ),
                )
            self._judge(execution_id, judged, passed=True)
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
        usage: Usage | None = None,
        metrics: Mapping[str, float] | None = None,
        outputs: Artifacts | None = None,
        verdict: Verdict | None = None,
        judged: Sequence[int] = (),
    ) -> None:
        """Mark a running execution as FAILED, even on a full disk. Do nothing if it has ended.

        Args:
            execution_id: From `register_execution`.
            reason: The reason for people: the exception, the signal or the timeout.
            usage: What the attempt used.
            metrics: What it reported.
            outputs: The outputs that are kept; each gets its `id` and becomes LIVE.
            verdict: What it said of what it judged.
            judged: Artifacts that it rejected, if it is a gate.
        """

        def write() -> None:
            if self._fail_running(
                execution_id, ExecutionState.FAILED, reason, usage, metrics, verdict
            ):
                if outputs:
                    self._write_outputs(execution_id, outputs)
                self._judge(execution_id, judged, passed=False)

        self._with_reserve(write)

    def cancel(
        self, execution_id: int, reason: str = "canceled", *, usage: Usage | None = None
    ) -> None:
        """Mark a running execution as CANCELED, even on a full disk. Do nothing if it has ended."""
        self._with_reserve(
            partial(self._fail_running, execution_id, ExecutionState.CANCELED, reason, usage, None)
        )
