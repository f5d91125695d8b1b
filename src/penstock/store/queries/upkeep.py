"""Queries for the upkeep of a store: what is alive, what is in use, whether the database is intact."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

from penstock.store.leases import Leases
from penstock.store.records import RunState


@dataclasses.dataclass(frozen=True, slots=True)
class ExecutionSummary:
    """The facts about an execution that upkeep needs.

    Attributes:
        pipeline: Its pipeline.
        node_id: Its node.
        state: `ExecutionState`'s number.
        started: Unix seconds.
        lease: Name of the lease that it belongs to.
    """

    pipeline: str
    node_id: str
    state: int
    started: float
    lease: str


@dataclasses.dataclass(frozen=True, slots=True)
class StoreHealth:
    """The health of a store.

    Attributes:
        mlmd_version: ML Metadata's schema version.
        version: Version of Penstock's own tables.
        runs: How many runs it holds.
        executions: How many executions.
        damage: The first fault that the database found in its own file; None if there is none, or it
            lies on a server, which looks after itself.
        running: Runs whose process lives.
        abandoned: Runs that did not end although their process is gone, the newest first.
    """

    mlmd_version: int
    version: int
    runs: int
    executions: int
    damage: str | None
    running: tuple[str, ...]
    abandoned: tuple[str, ...]


@dataclasses.dataclass(frozen=True, slots=True)
class RunEnd:
    """How far a run is.

    Attributes:
        state: Its state.
        last_work: When it ended or last began an execution, in Unix seconds.
    """

    state: RunState
    last_work: float


class UpkeepQueries(Leases):
    """The part of the store that its upkeep reads."""

    def health(self) -> StoreHealth:
        """Return whether the database is intact, and which runs are alive."""
        ((mlmd, own, runs, executions),) = self._session.query(
            "SELECT (SELECT max(schema_version) FROM MLMDEnv), "
            "(SELECT max(version) FROM penstock_version), "
            "(SELECT count(*) FROM penstock_run), (SELECT count(*) FROM Execution)"
        )
        damage = self._session.damage()
        begun = [] if damage else self._begun_runs()
        alive = tuple(run_id for run_id in begun if self.is_held(run_id))
        return StoreHealth(
            int(mlmd),
            int(own),
            int(runs),
            int(executions),
            damage,
            alive,
            tuple(run_id for run_id in begun if run_id not in alive),
        )

    def live_runs(self) -> list[str]:
        """Return the runs in progress, the newest first."""
        return [run_id for run_id in self._begun_runs() if self.is_held(run_id)]

    def _begun_runs(self) -> list[str]:
        rows = self._session.query(
            "SELECT run_id FROM penstock_run WHERE state = 'RUNNING' ORDER BY started DESC"
        )
        return [str(run_id) for (run_id,) in rows]

    def pipeline_roots(self, pipeline: str | None = None) -> list[str]:
        """Return the folders under which runs wrote; of one pipeline, or of all."""
        where, values = ("", ()) if pipeline is None else (" WHERE pipeline = ?", (pipeline,))
        rows = self._session.query(f"SELECT DISTINCT root FROM penstock_run{where}", values)
        return [str(root) for (root,) in rows]

    def nodes_below(self, root: str) -> list[str]:
        """Return the nodes that were executed in runs that wrote under a root."""
        rows = self._session.query(
            "SELECT DISTINCT pe.node_id FROM penstock_execution pe "
            "JOIN penstock_run r ON r.run_id = pe.run_id WHERE r.root = ?",
            (root,),
        )
        return sorted(str(node) for (node,) in rows)

    def run_ends(self, run_ids: Sequence[str]) -> dict[str, RunEnd]:
        """Return how far runs are, by their ids; those that are not in the store are left out."""
        if not run_ids:
            return {}
        rows = self._session.query(
            "SELECT r.run_id, r.state, r.started, r.finished, (SELECT max(pe.started) "
            "FROM penstock_execution pe WHERE pe.run_id = r.run_id) FROM penstock_run r "
            f"WHERE r.run_id IN ({','.join('?' * len(run_ids))})",
            list(run_ids),
        )
        return {
            str(run_id): RunEnd(
                RunState(state),
                max(filter(None, times)) / 1000,
            )
            for run_id, state, *times in rows
        }

    def execution_summaries(self) -> dict[int, ExecutionSummary]:
        """Return every execution of Penstock's by its id."""
        rows = self._session.query(
            "SELECT pe.execution_id, pe.pipeline, pe.node_id, e.last_known_state, pe.started, "
            "pe.lease FROM penstock_execution pe JOIN Execution e ON e.id = pe.execution_id"
        )
        return {
            int(number): ExecutionSummary(
                str(pipeline), str(node), int(state or 0), started / 1000, str(lease)
            )
            for number, pipeline, node, state, started, lease in rows
        }

    def unfinished_executions(self) -> dict[str, list[int]]:
        """Return the executions that have not ended, by the lease that they belong to."""
        by_lease: dict[str, list[int]] = {}
        rows = self._session.query(
            "SELECT execution_id, lease FROM penstock_execution WHERE finished IS NULL"
        )
        for execution_id, lease in rows:
            by_lease.setdefault(str(lease), []).append(int(execution_id))
        return by_lease

    def used_artifacts(self) -> tuple[dict[int, list[int]], dict[int, list[int]]]:
        """Return the artifacts that each execution read, and those that each wrote."""
        read: dict[int, list[int]] = {}
        written: dict[int, list[int]] = {}
        for artifact_id, execution_id, kind in self._session.query(
            "SELECT artifact_id, execution_id, type FROM Event WHERE type IN (3, 4)"
        ):
            (written if kind == 4 else read).setdefault(execution_id, []).append(artifact_id)
        return read, written

    def last_event(self) -> int:
        """Return the number of the newest event."""
        ((number,),) = self._session.query("SELECT coalesce(max(id), 0) FROM Event")
        return int(number)

    def artifacts_used_since(self, event: int) -> set[int]:
        """Return the artifacts that were read or written after the event of that number."""
        rows = self._session.query("SELECT DISTINCT artifact_id FROM Event WHERE id > ?", (event,))
        return {int(number) for (number,) in rows}

    def dead_uris(self) -> set[str]:
        """Return the URIs of artifacts that are not LIVE."""
        return {
            str(uri) for (uri,) in self._session.query("SELECT uri FROM Artifact WHERE state <> 2")
        }
