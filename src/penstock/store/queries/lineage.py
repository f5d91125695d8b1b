"""Lineage: what an artifact was made from, and what was made from it."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Literal

from penstock.store.queries.artifacts import ArtifactQueries
from penstock.store.queries.executions import ExecutionQueries
from penstock.store.records import (
    EventType,
    ExecutionState,
    Lineage,
    LineageEdge,
)

_CHUNK = 5000
_OUTPUT = (EventType.OUTPUT,)
_INPUT = (EventType.INPUT, EventType.DECLARED_INPUT)


class LineageQueries(ArtifactQueries, ExecutionQueries):
    """The part of the store that walks the graph of artifacts and executions."""

    def lineage(
        self,
        artifact_ids: Iterable[int],
        direction: Literal["upstream", "downstream"] = "upstream",
        *,
        max_hops: int | None = None,
    ) -> Lineage:
        """Return the artifacts and executions before or after some artifacts, those included.

        Executions that only reused outputs (CACHED) are left out: those outputs come from the
        execution that ran.

        Args:
            artifact_ids: The artifacts to start from.
            direction: "upstream": what they were made from; "downstream": what was made from them.
            max_hops: At most this many executions away.
        """
        up = direction == "upstream"
        near, far = (_OUTPUT, _INPUT) if up else (_INPUT, _OUTPUT)
        seen_artifacts: set[int] = set(artifact_ids)
        seen_executions: set[int] = set()
        edges: dict[LineageEdge, None] = {}
        front, hops = set(seen_artifacts), 0
        while front and (max_hops is None or hops < max_hops):
            found = self._edges("artifact_id", front, near)
            edges.update(dict.fromkeys(found))
            executions = {edge.execution_id for edge in found} - seen_executions
            seen_executions |= executions
            found = self._edges("execution_id", executions, far)
            edges.update(dict.fromkeys(found))
            front = {edge.artifact_id for edge in found} - seen_artifacts
            seen_artifacts |= front
            hops += 1
        artifacts = {
            record.artifact.id: record
            for chunk in _chunks(seen_artifacts)
            for record in self.find_artifacts(ids=chunk, states=())
            if record.artifact.id is not None
        }
        records = {
            record.id: record
            for chunk in _chunks(seen_executions)
            for record in self.get_executions(chunk)
        }
        return Lineage(artifacts, records, tuple(edges))

    def _edges(
        self, column: str, ids: Iterable[int], kinds: tuple[EventType, ...]
    ) -> list[LineageEdge]:
        edges = []
        for chunk in _chunks(ids):
            rows = self._session.query(
                "SELECT ev.artifact_id, ev.execution_id, ev.type, ep.is_index_step, ep.step_key, "
                "ep.step_index FROM Event ev JOIN Execution e ON e.id = ev.execution_id "
                "LEFT JOIN EventPath ep ON ep.event_id = ev.id "
                f"WHERE ev.{column} IN ({','.join('?' * len(chunk))}) "
                f"AND ev.type IN ({','.join(str(int(kind)) for kind in kinds)}) "
                f"AND e.last_known_state <> {int(ExecutionState.CACHED)} "
                f"ORDER BY ev.id{self._session.path_order}",
                chunk,
            )
            key: str | None = None
            for artifact_id, execution_id, kind, is_index, step_key, step_index in rows:
                if is_index == 0:
                    key = step_key
                else:
                    edges.append(
                        LineageEdge(
                            artifact_id,
                            execution_id,
                            EventType(kind),
                            key if is_index else None,
                            step_index or 0,
                        )
                    )
        return edges


def _chunks(ids: Iterable[int]) -> list[list[int]]:
    ordered = sorted(ids)
    return [ordered[start : start + _CHUNK] for start in range(0, len(ordered), _CHUNK)]
