"""Epochs of training: written while an execution runs, read with what earlier attempts reported."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence

from penstock.store import sql
from penstock.store.base import StoreBase, milliseconds
from penstock.store.records import EpochRecord

# The execution that did the work of a cached one: the last before it under the same key.
_ORIGIN = (
    "(SELECT max(o.execution_id) FROM penstock_execution o WHERE o.cache_key = pe.cache_key "
    "AND o.execution_id < pe.execution_id AND o.cached_from IS NULL "
    "AND o.finished IS NOT NULL AND o.error IS NULL)"
)


class Epochs(StoreBase):
    """The part of the store that knows the epochs of training."""

    def record_epochs(
        self,
        execution_id: int,
        epochs: Mapping[int, Mapping[str, float]],
        *,
        times: Mapping[int, float] | None = None,
        remove: Sequence[int] = (),
    ) -> None:
        """Write epochs of an execution, over those of the same numbers. One transaction.

        Args:
            execution_id: From `register_execution`.
            epochs: Metrics by the number of the epoch.
            times: When each was reported, in Unix seconds; by default now.
            remove: Numbers of epochs that are not kept any longer.
        """
        times = times or {}
        rows = [
            (execution_id, number, milliseconds(times.get(number)), json.dumps(dict(metrics)))
            for number, metrics in epochs.items()
        ]

        def write() -> None:
            self._session.execute_each(
                "DELETE FROM penstock_epoch WHERE execution_id = ? AND epoch = ?",
                [(execution_id, number) for number in dict.fromkeys([*remove, *epochs])],
            )
            self._session.insert(sql.PENSTOCK_EPOCH, rows)

        self._session.atomically(write)

    def run_epochs(self, run_id: str) -> dict[str, list[EpochRecord]]:
        """Return the epochs of each node of a run that reported any, in order. Two queries.

        Attempts that went on from a checkpoint count together: what a later one reported stands for
        its own epochs and all that come after them. A cached execution has the epochs of the one that
        ran.

        Args:
            run_id: The run.
        """
        rows = self._session.query(
            f"SELECT pe.node_id, pe.execution_id, pe.cached_from, {_ORIGIN} "
            "FROM penstock_execution pe WHERE pe.run_id = ? ORDER BY pe.execution_id",
            (run_id,),
        )
        last = {
            str(node): int(number if cached_from is None else origin or cached_from)
            for node, number, cached_from, origin in rows
        }
        found = self._epochs_until(list(dict.fromkeys(last.values())))
        return {node: found[number] for node, number in last.items() if number in found}

    def execution_epochs(self, execution_id: int) -> list[EpochRecord]:
        """Return the epochs of an execution and of the attempts before it, as `run_epochs` does.

        Args:
            execution_id: The execution.
        """
        rows = self._session.query(
            f"SELECT pe.execution_id, pe.cached_from, {_ORIGIN} FROM penstock_execution pe "
            "WHERE pe.execution_id = ?",
            (execution_id,),
        )
        for number, cached_from, origin in rows:
            last = int(number if cached_from is None else origin or cached_from)
            return self._epochs_until([last]).get(last, [])
        return []

    def _epochs_until(self, execution_ids: Sequence[int]) -> dict[int, list[EpochRecord]]:
        """Return the epochs of the attempts at a node of a run up to each of these executions."""
        if not execution_ids:
            return {}
        rows = self._session.query(
            "SELECT last.execution_id, ep.execution_id, ep.epoch, ep.metrics, ep.reported "
            "FROM penstock_execution last "
            "JOIN penstock_execution a ON a.run_id = last.run_id AND a.node_id = last.node_id "
            "AND a.execution_id <= last.execution_id "
            "JOIN penstock_epoch ep ON ep.execution_id = a.execution_id "
            f"WHERE last.execution_id IN ({','.join('?' * len(execution_ids))}) "
            "ORDER BY last.execution_id, ep.execution_id, ep.epoch",
            list(execution_ids),
        )
        found: dict[int, list[EpochRecord]] = {}
        for last, execution_id, epoch, metrics, reported in rows:
            of = found.setdefault(int(last), [])
            while of and of[-1].epoch >= epoch:
                of.pop()
            of.append(EpochRecord(epoch, json.loads(metrics), reported / 1000, execution_id))
        return found
