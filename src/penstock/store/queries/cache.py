"""The cache: executions by key, and what differed from the nearest one."""

from __future__ import annotations

import json
from typing import Any

from penstock.artifacts import Artifact, Verdict
from penstock.store.base import StoreBase, milliseconds
from penstock.store.queries.artifact_rows import build_artifact, set_property
from penstock.store.records import CachedExecution, ExecutionRecord, ExecutionState, Usage
from penstock.store.session import Row

# The inner query walks the index on (cache_key, execution_id) from the newest execution and stops
# at the first whose outputs are all live; the outer one reads those. States: 3 COMPLETE, 5 CACHED.
_FIND = """
SELECT hit.execution_id, a.id, t.name, a.uri, a.state, a.name, pa.fingerprint, pa.output_key,
  pa.output_index, p.name, p.is_custom_property, p.int_value, p.double_value, p.string_value,
  p.bool_value, hit.metrics, hit.verdict
FROM (
  SELECT pe.execution_id, pe.metrics, pe.verdict FROM penstock_execution pe
  JOIN Execution e ON e.id = pe.execution_id AND e.last_known_state IN (3, 5)
  WHERE pe.cache_key = ? AND pe.finished >= ? AND NOT EXISTS (
    SELECT 1 FROM Event ev JOIN Artifact dead ON dead.id = ev.artifact_id
    WHERE ev.execution_id = pe.execution_id AND ev.type = 4 AND dead.state <> 2)
  ORDER BY pe.execution_id DESC LIMIT 1) hit
LEFT JOIN Event ev ON ev.execution_id = hit.execution_id AND ev.type = 4
LEFT JOIN Artifact a ON a.id = ev.artifact_id
LEFT JOIN Type t ON t.id = a.type_id
LEFT JOIN penstock_artifact pa ON pa.artifact_id = a.id
LEFT JOIN ArtifactProperty p ON p.artifact_id = a.id
"""

EXECUTION_COLUMNS = (
    "e.id, pe.run_id, pe.pipeline, pe.node_id, t.name, e.last_known_state, pe.attempt, "
    "pe.cache_key, pe.key_parts, e.create_time_since_epoch, pe.finished, pe.error, pe.log_path, "
    "pe.wall_seconds, pe.cpu_seconds, pe.peak_rss_bytes, pe.bytes_written, pe.metrics, "
    "pe.cached_from, e.last_update_time_since_epoch, pe.verdict, pe.start_seconds"
)


def execution_record(row: Row) -> ExecutionRecord:
    """Return the record of a row of `EXECUTION_COLUMNS`."""

    def parsed(text: Any) -> dict[str, Any]:
        return dict(json.loads(text)) if text else {}

    state = ExecutionState(row[5] or 0)
    ended = state not in (ExecutionState.RUNNING, ExecutionState.NEW, ExecutionState.UNKNOWN)
    finished = row[10] if row[10] is not None else row[19] if ended else None
    return ExecutionRecord(
        id=row[0],
        run_id=row[1],
        pipeline=row[2],
        node_id=row[3],
        type_name=row[4],
        state=state,
        attempt=row[6] or 1,
        cache_key=row[7],
        key_parts=parsed(row[8]),
        started=row[9] / 1000,
        finished=None if finished is None else finished / 1000,
        error=row[11],
        log_path=row[12],
        usage=Usage(row[13], row[14], row[15], row[16], row[21]),
        metrics=parsed(row[17]),
        cached_from=row[18],
        verdict=Verdict.from_json(json.loads(row[20])) if row[20] else None,
    )


class Cache(StoreBase):
    """The part of the store that finds executions by their cache keys."""

    def find_cached(
        self, cache_key: str, *, max_age_seconds: float | None = None
    ) -> CachedExecution | None:
        """Return the newest COMPLETE or CACHED execution of a key whose outputs are all live.

        One indexed query. The caller must check whether the outputs still exist at their URIs.

        Args:
            cache_key: The hex digest.
            max_age_seconds: Ignore executions that ended longer ago.
        """
        oldest = 0 if max_age_seconds is None else milliseconds() - round(max_age_seconds * 1000)
        rows = self._session.query(_FIND, (cache_key, oldest))
        if not rows:
            return None
        artifacts: dict[int, Artifact] = {}
        slots: dict[str, dict[int, Artifact]] = {}
        for row in rows:
            number = row[1]
            if number is None:
                continue
            artifact = artifacts.get(number)
            if artifact is None:
                artifact = artifacts[number] = build_artifact(*row[1:7])
                slots.setdefault(row[7], {})[row[8]] = artifact
            if row[9] is not None:
                set_property(artifact, row[9], row[10], row[11:15])
        outputs = {key: [of[index] for index in sorted(of)] for key, of in slots.items()}
        metrics, verdict = rows[0][15:17]
        return CachedExecution(
            rows[0][0],
            outputs,
            json.loads(metrics) if metrics else {},
            Verdict.from_json(json.loads(verdict)) if verdict else None,
        )

    def nearest_executions(
        self, pipeline: str, node_id: str, *, before: int | None = None, limit: int = 20
    ) -> list[ExecutionRecord]:
        """Return earlier successful executions of a node with their key parts, the newest first.

        Args:
            pipeline: Name of the pipeline.
            node_id: The node.
            before: Only executions with a smaller id.
            limit: At most this many.
        """
        # Good ones have ended without an error; asking Execution instead would lose the index.
        rows = self._session.query(
            f"SELECT {EXECUTION_COLUMNS} FROM (SELECT * FROM penstock_execution "
            "WHERE pipeline = ? AND node_id = ? AND execution_id < ? "
            "AND finished IS NOT NULL AND error IS NULL "
            "ORDER BY execution_id DESC LIMIT ?) pe "
            "LEFT JOIN Execution e ON e.id = pe.execution_id LEFT JOIN Type t ON t.id = e.type_id "
            "ORDER BY pe.execution_id DESC",
            (pipeline, node_id, (1 << 62) if before is None else before, limit),
        )
        return [execution_record(row) for row in rows]
