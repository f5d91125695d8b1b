"""Executions looked up: of a run, of a node; what they read and wrote."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from penstock.artifacts import Artifact, Verdict
from penstock.store.base import StoreBase
from penstock.store.exceptions import RecordNotFound
from penstock.store.queries.artifact_rows import build_artifact, read_properties
from penstock.store.queries.cache import EXECUTION_COLUMNS, execution_record
from penstock.store.records import EventType, ExecutionRecord, ExecutionState, Rejection
from penstock.store.session import Row

_FROM = """
FROM Execution e LEFT JOIN Type t ON t.id = e.type_id
LEFT JOIN penstock_execution pe ON pe.execution_id = e.id
"""
OutputsByKey = dict[str, list[Artifact]]


class ExecutionQueries(StoreBase):
    """The part of the store that finds executions."""

    def get_execution(self, execution_id: int) -> ExecutionRecord:
        """Return an execution, including one that TFX wrote.

        Raises:
            RecordNotFound: If no execution has that id.
        """
        found = self.get_executions([execution_id])
        if not found:
            raise RecordNotFound(
                f"There is no execution {execution_id} in the store {self.location}."
            )
        return found[0]

    def get_executions(self, execution_ids: Sequence[int]) -> list[ExecutionRecord]:
        """Return the executions that exist, in the order of their ids."""
        if not execution_ids:
            return []
        rows = self._session.query(
            f"SELECT {EXECUTION_COLUMNS} {_FROM} WHERE e.id IN "
            f"({','.join('?' * len(execution_ids))}) ORDER BY e.id",
            list(execution_ids),
        )
        return [execution_record(row) for row in rows]

    def run_executions(self, run_id: str) -> list[ExecutionRecord]:
        """Return all attempts of a run, in the order in which they began. One query."""
        rows = self._session.query(
            f"SELECT {EXECUTION_COLUMNS} FROM penstock_execution pe "
            "LEFT JOIN Execution e ON e.id = pe.execution_id LEFT JOIN Type t ON t.id = e.type_id "
            "WHERE pe.run_id = ? ORDER BY pe.execution_id",
            (run_id,),
        )
        return [execution_record(row) for row in rows]

    def run_states(self, run_id: str) -> dict[str, ExecutionRecord]:
        """Return the last attempt at each node of a run. One query."""
        return {str(record.node_id): record for record in self.run_executions(run_id)}

    def execution_states(self) -> dict[int, ExecutionState]:
        """Return the state of every execution of the store."""
        rows = self._session.query("SELECT id, last_known_state FROM Execution")
        return {number: ExecutionState(state or 0) for number, state in rows}

    def run_outputs(self, run_id: str) -> dict[str, OutputsByKey]:
        """Return the outputs of each node of a run from its last good execution, by node and key.

        Good is COMPLETE or CACHED. Works on runs that TFX wrote, too.
        """
        rows = self._session.query(
            "SELECT node_id, max(execution_id) FROM penstock_execution "
            "WHERE run_id = ? AND finished IS NOT NULL AND error IS NULL GROUP BY node_id",
            (run_id,),
        )
        nodes = {int(number): str(node) for node, number in rows} or self._tfx_nodes(run_id)
        outputs = self._artifacts_of(list(nodes), (EventType.OUTPUT, EventType.INTERNAL_OUTPUT))
        return {node: outputs.get(number, {}) for number, node in nodes.items()}

    def rejected_outputs(self, run_id: str) -> dict[str, OutputsByKey]:
        """Return what is kept of nodes of a run that failed, by node and key: what gates wrote."""
        last = self.run_states(run_id)
        failed = {
            record.id: node
            for node, record in last.items()
            if record.state is ExecutionState.FAILED
        }
        outputs = self._artifacts_of(list(failed), (EventType.OUTPUT,))
        return {failed[number]: of for number, of in outputs.items()}

    def run_verdicts(self, run_ids: Sequence[str]) -> dict[str, dict[str, Verdict]]:
        """Return the verdict of each node that stated one, by run and node. One query."""
        if not run_ids:
            return {}
        rows = self._session.query(
            "SELECT run_id, node_id, verdict FROM penstock_execution WHERE run_id IN "
            f"({','.join('?' * len(run_ids))}) ORDER BY execution_id",
            list(run_ids),
        )
        found: dict[str, dict[str, Verdict]] = {}
        for run_id, node_id, text in rows:
            of_run = found.setdefault(run_id, {})
            of_run.pop(node_id, None)
            verdict = Verdict.from_json(json.loads(text)) if text else None
            if verdict is not None:
                of_run[node_id] = verdict
        return found

    def run_metrics(self, run_ids: Sequence[str]) -> dict[str, dict[str, dict[str, float]]]:
        """Return what the nodes of runs reported last: run to node to metric to value. One query."""
        if not run_ids:
            return {}
        rows = self._session.query(
            "SELECT run_id, node_id, metrics FROM penstock_execution WHERE run_id IN "
            f"({','.join('?' * len(run_ids))}) ORDER BY execution_id",
            list(run_ids),
        )
        found: dict[str, dict[str, dict[str, float]]] = {}
        for run_id, node_id, text in rows:
            metrics = json.loads(text) if text else {}
            if metrics:
                found.setdefault(run_id, {})[node_id] = metrics
        return found

    def rejections(self, artifact_ids: Sequence[int]) -> list[Rejection]:
        """Return which gates rejected which of these artifacts; a later pass takes it back."""
        if not artifact_ids:
            return []
        rows = self._session.query(
            "SELECT artifact_id, node_id, execution_id FROM penstock_rejection WHERE artifact_id IN "
            f"({','.join('?' * len(artifact_ids))}) ORDER BY execution_id",
            list(artifact_ids),
        )
        return [Rejection(*row) for row in rows]

    def _tfx_nodes(self, run_id: str) -> dict[int, str]:
        """Return the last good execution of each node of a run that TFX wrote."""
        rows = self._session.query(
            "SELECT n.name, p.name, max(e.id) FROM Context r "
            "JOIN Association s ON s.context_id = r.id JOIN Execution e ON e.id = s.execution_id "
            "JOIN Association ns ON ns.execution_id = e.id "
            "JOIN Context n ON n.id = ns.context_id AND n.type_id = ? "
            "JOIN Association ps ON ps.execution_id = e.id "
            "JOIN Context p ON p.id = ps.context_id AND p.type_id = ? "
            "WHERE r.type_id = ? AND r.name = ? AND e.last_known_state IN (3, 5) "
            "GROUP BY n.name, p.name",
            (
                self._types.context("node"),
                self._types.context("pipeline"),
                self._types.context("pipeline_run"),
                run_id,
            ),
        )
        return {int(number): str(name)[len(pipeline) + 1 :] for name, pipeline, number in rows}

    def node_outputs(
        self, pipeline: str, node_id: str, *, run_id: str | None = None
    ) -> OutputsByKey | None:
        """Return the last outputs of a node, by key; None if it has no good execution.

        Args:
            pipeline: Name of the pipeline.
            node_id: The node.
            run_id: Only in this run; the newest execution of any run by default.
        """
        of_run, values = ("", []) if run_id is None else ("AND run_id = ? ", [run_id])
        rows = self._session.query(
            "SELECT execution_id FROM penstock_execution WHERE pipeline = ? AND node_id = ? "
            f"{of_run}AND finished IS NOT NULL AND error IS NULL "
            "ORDER BY execution_id DESC LIMIT 1",
            [pipeline, node_id, *values],
        )
        if not rows:
            rows = self._tfx_execution(pipeline, node_id, run_id)
        return self.outputs_of(rows[0][0]) if rows else None

    def _tfx_execution(self, pipeline: str, node_id: str, run_id: str | None) -> list[Row]:
        """Return the last good execution of a node that TFX wrote, if there is one."""
        names = [("node", f"{pipeline}.{node_id}")]
        if run_id is not None:
            names.append(("pipeline_run", run_id))
        contexts = self._contexts.find(names)
        if contexts is None:
            return []
        joins = "".join(
            f"JOIN Association s{number} ON s{number}.execution_id = e.id "
            f"AND s{number}.context_id = ? "
            for number in range(len(contexts))
        )
        return self._session.query(
            f"SELECT e.id FROM Execution e {joins}WHERE e.last_known_state IN (3, 5) "
            "ORDER BY e.id DESC LIMIT 1",
            contexts,
        )

    def outputs_of(self, execution_id: int) -> OutputsByKey:
        """Return the outputs of an execution, by key and in order, including a resolver's."""
        kinds = (EventType.OUTPUT, EventType.INTERNAL_OUTPUT)
        return self._artifacts_of([execution_id], kinds).get(execution_id, {})

    def inputs_of(self, execution_id: int) -> OutputsByKey:
        """Return the inputs of an execution, by key and in order."""
        return self._artifacts_of([execution_id], (EventType.INPUT,)).get(execution_id, {})

    def parameters_of(self, execution_id: int) -> dict[str, Any]:
        """Return an execution's parameters as they are stored, without internal ones."""
        rows = self._session.query(
            "SELECT name, int_value, double_value, string_value FROM ExecutionProperty "
            "WHERE execution_id = ? ORDER BY name",
            (execution_id,),
        )
        return {
            str(name): next((value for value in values if value is not None), None)
            for name, *values in rows
            if not name.startswith("__")
        }

    def _artifacts_of(
        self, execution_ids: Sequence[int], kinds: Sequence[EventType]
    ) -> dict[int, OutputsByKey]:
        if not execution_ids:
            return {}
        rows = self._session.query(
            "SELECT ev.execution_id, ev.id, a.id, t.name, a.uri, a.state, a.name, pa.fingerprint, "
            "ep.is_index_step, ep.step_key, ep.step_index FROM Event ev "
            "LEFT JOIN Artifact a ON a.id = ev.artifact_id LEFT JOIN Type t ON t.id = a.type_id "
            "LEFT JOIN penstock_artifact pa ON pa.artifact_id = a.id "
            "LEFT JOIN EventPath ep ON ep.event_id = ev.id "
            f"WHERE ev.execution_id IN ({','.join('?' * len(execution_ids))}) "
            f"AND ev.type IN ({','.join('?' * len(kinds))}) "
            f"ORDER BY ev.id{self._session.path_order}",
            [*execution_ids, *map(int, kinds)],
        )
        artifacts: dict[int, Artifact] = {}
        slots: dict[int, dict[str, list[tuple[int, Artifact]]]] = {}
        key = ""
        for execution_id, _, number, *columns, is_index, step_key, step_index in rows:
            artifact = artifacts.get(number)
            if artifact is None:
                artifact = artifacts[number] = build_artifact(number, *columns)
            # The steps of a path come one after the other: its key, then its index.
            if is_index:
                slot = slots.setdefault(execution_id, {}).setdefault(key, [])
                slot.append((step_index, artifact))
            else:
                key = step_key or ""
        read_properties(self._session, list(artifacts.values()))
        return {
            execution_id: {
                key: [artifact for _, artifact in sorted(pairs, key=lambda pair: pair[0])]
                for key, pairs in by_key.items()
            }
            for execution_id, by_key in slots.items()
        }
