"""Runs: one row each, with its graph, code, environment and parameters."""

from __future__ import annotations

import json
from typing import Any

from penstock.store import sql
from penstock.store.base import StoreBase, milliseconds
from penstock.store.exceptions import RecordNotFound, StoreError
from penstock.store.records import RunRecord, RunState
from penstock.store.session import Row

_COLUMNS = (
    "r.run_id, r.pipeline, r.started, r.graph_digest, r.parameters, r.command, r.git_commit, "
    "r.dirty, r.environment_fingerprint, r.seed, r.is_deterministic, r.root, r.project, r.labels, "
    "r.state, r.finished, r.error, r.stop_requested, r.paused_seconds"
)


class Runs(StoreBase):
    """The part of the store that knows runs."""

    def create_run(self, run: RunRecord) -> None:
        """Write a run, RUNNING, with its contexts `pipeline` and `pipeline_run`.

        Take its lease first (`acquire_lease(run.run_id)`): a RUNNING run without one counts as
        dead.

        Raises:
            StoreError: If a run with that id exists.
        """
        self._session.atomically(lambda: self._create_run(run))
        self._pipelines[run.run_id] = run.pipeline

    def keep_graph(self, digest: str, text: str) -> None:
        """Write a graph, for all runs of that digest, if the store does not have it.

        Args:
            digest: Of the graph.
            text: The graph, as `Graph.to_text` returns it.
        """
        self._session.atomically(lambda: self._session.insert(sql.PENSTOCK_GRAPH, [(digest, text)]))

    def _create_run(self, run: RunRecord) -> None:
        if self._session.query("SELECT 1 FROM penstock_run WHERE run_id = ?", (run.run_id,)):
            raise StoreError(f"The store {self.location} already has a run {run.run_id}.")
        self._contexts.run(run.pipeline, run.run_id)
        if run.graph_json:
            self._session.insert(sql.PENSTOCK_GRAPH, [(run.graph_digest, run.graph_json)])
        if run.environment:
            row = (run.environment_fingerprint, json.dumps(run.environment, sort_keys=True))
            self._session.insert(sql.PENSTOCK_ENVIRONMENT, [row])
        self._session.insert(
            sql.PENSTOCK_RUN,
            [
                (
                    run.run_id,
                    run.pipeline,
                    RunState.RUNNING.value,
                    milliseconds(run.started),
                    run.graph_digest,
                    json.dumps(dict(run.parameters), default=str),
                    run.command,
                    run.commit,
                    None if run.dirty is None else int(run.dirty),
                    run.environment_fingerprint,
                    run.seed,
                    int(run.deterministic),
                    run.root,
                    run.project,
                    json.dumps(dict(run.labels), default=str),
                    0,
                )
            ],
        )

    def finish_run(self, run_id: str, state: RunState, error: str | None = None) -> None:
        """Write how a run ended, and make everything before it durable.

        Raises:
            RecordNotFound: If there is no such run.
        """
        parameters = (RunState(state).value, milliseconds(), error, run_id)

        def write() -> None:
            self.require_run(run_id)
            self._session.execute(
                "UPDATE penstock_run SET state = ?, finished = ?, error = ? WHERE run_id = ?",
                parameters,
            )

        self._with_reserve(write)
        self._session.flush_to_disk()

    def lock_run(self, run_id: str) -> bool:
        """Keep others from changing a run until the transaction ends; return whether it is there."""
        self._session.execute(
            "UPDATE penstock_run SET stop_requested = stop_requested WHERE run_id = ?", (run_id,)
        )
        return bool(self._session.query("SELECT 1 FROM penstock_run WHERE run_id = ?", (run_id,)))

    def set_run_state(self, run_id: str, state: RunState, error: str | None = None) -> None:
        """Write the state of a run that no process owns; one that has ended may go on.

        When it ended is kept if it had ended in that state before.

        Args:
            run_id: The run.
            state: Its state.
            error: Why it failed or was stopped.
        """
        ended = None if state is RunState.RUNNING else milliseconds()

        def write() -> None:
            self._session.execute(
                "UPDATE penstock_run SET finished = ?, state = ?, error = ? "
                "WHERE run_id = ? AND state <> ?",
                (ended, RunState(state).value, error, run_id, RunState(state).value),
            )

        self._with_reserve(write)
        if ended is not None:
            self._session.flush_to_disk()

    def is_stop_requested(self, run_id: str) -> bool:
        """Return whether somebody asked a run to stop."""
        rows = self._session.query(
            "SELECT stop_requested FROM penstock_run WHERE run_id = ?", (run_id,)
        )
        return bool(rows and rows[0][0])

    def reopen_run(self, run_id: str, *, idle_since: float | None = None) -> None:
        """Make a finished run RUNNING again, for `resume`; the caller holds its lease.

        Args:
            run_id: The run.
            idle_since: Unix seconds since when nobody has worked on it; by default since its end.
        """

        def write() -> None:
            self.require_run(run_id)
            ((finished, paused),) = self._session.query(
                "SELECT finished, paused_seconds FROM penstock_run WHERE run_id = ?", (run_id,)
            )
            since = milliseconds(idle_since) if idle_since is not None else finished
            if since is not None:
                paused = (paused or 0.0) + max(0, milliseconds() - since) / 1000
            self._session.execute(
                "UPDATE penstock_run SET state = ?, finished = NULL, error = NULL, "
                "stop_requested = 0, paused_seconds = ? WHERE run_id = ?",
                (RunState.RUNNING.value, paused, run_id),
            )

        self._session.atomically(write)

    def get_run(self, run_id: str) -> RunRecord:
        """Return a run with its graph and environment, by its id or the start of it.

        Raises:
            RecordNotFound: If no run's id starts this way, or several do.
        """
        rows = self._session.query(
            f"SELECT {_COLUMNS}, g.graph, e.environment FROM penstock_run r "
            "LEFT JOIN penstock_graph g ON g.digest = r.graph_digest "
            "LEFT JOIN penstock_environment e ON e.fingerprint = r.environment_fingerprint "
            "WHERE r.run_id >= ? AND r.run_id < ? ORDER BY r.run_id LIMIT 6",
            (run_id, run_id + "\U0010ffff"),
        )
        exact = [row for row in rows if row[0] == run_id]
        if exact or len(rows) == 1:
            return _record((exact or rows)[0])
        if not rows:
            raise RecordNotFound(
                f"There is no run {run_id!r} in the store {self.location}. `penstock runs` "
                "lists all runs."
            )
        names = ", ".join(str(row[0]) for row in rows[:5])
        raise RecordNotFound(f"Several runs start with {run_id!r}: {names}. Give more of the id.")

    def list_runs(self, pipeline: str | None = None, limit: int = 50) -> list[RunRecord]:
        """Return runs, the newest first, without graph and environment."""
        where = "" if pipeline is None else "WHERE r.pipeline = ? "
        rows = self._session.query(
            f"SELECT {_COLUMNS} FROM penstock_run r {where}ORDER BY r.started DESC LIMIT ?",
            (limit,) if pipeline is None else (pipeline, limit),
        )
        return [_record(row) for row in rows]

    def latest_run(self, pipeline: str, *, before: str | None = None) -> RunRecord | None:
        """Return the newest run of a pipeline, or the newest that started before run `before`."""
        if before is None:
            runs = self.list_runs(pipeline, limit=1)
            return runs[0] if runs else None
        rows = self._session.query(
            f"SELECT {_COLUMNS} FROM penstock_run r WHERE r.pipeline = ? AND r.started < "
            "(SELECT started FROM penstock_run WHERE run_id = ?) ORDER BY r.started DESC LIMIT 1",
            (pipeline, before),
        )
        return _record(rows[0]) if rows else None

    def request_stop(self, run_id: str) -> None:
        """Ask the process of a run to stop; it learns this from its lease's `renew`.

        Raises:
            RecordNotFound: If there is no such run.
        """

        def write() -> None:
            self.require_run(run_id)
            self._session.execute(
                "UPDATE penstock_run SET stop_requested = 1 WHERE run_id = ?", (run_id,)
            )

        self._session.atomically(write)


def _record(row: Row) -> RunRecord:
    def parsed(text: Any) -> dict[str, Any]:
        return dict(json.loads(text)) if text else {}

    return RunRecord(
        run_id=row[0],
        pipeline=row[1],
        started=row[2] / 1000,
        graph_digest=row[3],
        parameters=parsed(row[4]),
        command=row[5],
        commit=row[6],
        dirty=None if row[7] is None else bool(row[7]),
        environment_fingerprint=row[8],
        seed=row[9],
        deterministic=bool(row[10]),
        root=row[11],
        project=row[12],
        labels=parsed(row[13]),
        state=RunState(row[14]),
        finished=None if row[15] is None else row[15] / 1000,
        error=row[16],
        stop_requested=bool(row[17]),
        paused_seconds=row[18] or 0.0,
        graph_json=(row[19] or "") if len(row) > 19 else "",
        environment=parsed(row[20]) if len(row) > 20 else {},
    )
