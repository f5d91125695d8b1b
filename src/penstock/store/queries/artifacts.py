"""Artifacts looked up: by type, producer, run, blessing, alias; marked deleted; named."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from penstock.artifacts import Artifact, ArtifactState
from penstock.store.base import StoreBase, milliseconds
from penstock.store.exceptions import RecordNotFound
from penstock.store.queries.artifact_rows import build_artifact, read_properties
from penstock.store.records import ArtifactRecord
from penstock.store.session import Row

_SELECT = """
SELECT a.id, t.name, a.uri, a.state, a.name, pa.fingerprint, a.create_time_since_epoch,
  pa.execution_id, pe.pipeline, pe.run_id, pe.node_id, pa.output_key, pa.output_index
FROM Artifact a LEFT JOIN Type t ON t.id = a.type_id
LEFT JOIN penstock_artifact pa ON pa.artifact_id = a.id
LEFT JOIN penstock_execution pe ON pe.execution_id = pa.execution_id
"""

# A blessing names its model by id, as TFX's resolver reads it; by uri only where it gives no id.
_BLESSED = """
SELECT m.id, b.id FROM ArtifactProperty blessed
JOIN Artifact b ON b.id = blessed.artifact_id AND b.state = 2
JOIN Type bt ON bt.id = b.type_id AND bt.name = 'ModelBlessing'
JOIN ArtifactProperty p ON p.artifact_id = b.id AND p.is_custom_property = TRUE
JOIN Artifact m ON m.state = 2 AND {match}
JOIN Type mt ON mt.id = m.type_id AND mt.name = 'Model'
WHERE blessed.name = 'blessed' AND blessed.is_custom_property = TRUE AND blessed.int_value = 1
{where} ORDER BY m.id DESC, b.id DESC LIMIT 1
"""
_BY_ID = "p.name = 'current_model_id' AND m.id = p.int_value"
_BY_URI = """p.name = 'current_model' AND m.uri = p.string_value AND NOT EXISTS (
  SELECT 1 FROM ArtifactProperty i WHERE i.artifact_id = b.id AND i.name = 'current_model_id')"""


class ArtifactQueries(StoreBase):
    """The part of the store that finds artifacts. Works on stores that TFX wrote, too."""

    def find_artifacts(
        self,
        *,
        type_name: str | None = None,
        pipeline: str | None = None,
        node_id: str | None = None,
        run_id: str | None = None,
        key: str | None = None,
        uri: str | None = None,
        ids: Sequence[int] | None = None,
        states: Sequence[ArtifactState] = (ArtifactState.LIVE,),
        limit: int | None = None,
    ) -> list[ArtifactRecord]:
        """Return artifacts that match every filter, the newest first.

        `pipeline`, `node_id`, `run_id` and `key` are those of an execution that output them (that
        ran, or was cached).

        Args:
            type_name: Name of the type.
            pipeline: Name of the pipeline; needed with `node_id`.
            node_id: The node.
            run_id: The run.
            key: Output key.
            uri: Its URI, exactly.
            ids: Only these.
            states: Any of these states; LIVE by default. Empty: any.
            limit: At most this many.
        """
        if node_id is not None and pipeline is None:
            raise ValueError(f"To look up a node, give its pipeline (or run). Received: {node_id=}")
        where: list[str] = []
        values: list[Any] = []
        if type_name is not None:
            types = self._session.query(
                "SELECT id FROM Type WHERE name = ? AND type_kind = 1", (type_name,)
            )
            if not types:
                return []
            # "+ 0" keeps the index over types from being preferred to the order of the ids.
            where.append(f"a.type_id + 0 IN ({','.join('?' * len(types))})")
            values += [row[0] for row in types]
        names = []
        if node_id is not None:
            names.append(("node", f"{pipeline}.{node_id}"))
        elif pipeline is not None:
            names.append(("pipeline", pipeline))
        if run_id is not None:
            names.append(("pipeline_run", run_id))
        contexts = self._contexts.find(names)
        if contexts is None:
            return []
        if contexts or key is not None:
            text, of_output = self._output(contexts, key)
            where.append(text)
            values += of_output
        if uri is not None:
            where.append("a.uri = ?")
            values.append(uri)
        if states:
            where.append(f"a.state IN ({','.join('?' * len(states))})")
            values += [int(state) for state in states]
        if ids is not None:
            if not ids:
                return []
            where.append(f"a.id IN ({','.join('?' * len(ids))})")
            values += ids
        text = _SELECT + (f"WHERE {' AND '.join(where)} " if where else "") + "ORDER BY a.id DESC"
        if limit is not None:
            text += " LIMIT ?"
            values.append(limit)
        return self._records(self._session.query(text, values))

    def _output(self, contexts: Sequence[int], key: str | None) -> tuple[str, list[Any]]:
        """Return the condition that an execution of these contexts put `a` out under the key."""
        # A scalar subquery is what no engine turns into a join over all events, so that walking
        # the artifacts from the newest one down may stop at a LIMIT.
        text = "(SELECT min(ev.id) FROM Event ev"
        for number in range(len(contexts)):
            text += (
                f" JOIN Association s{number} ON s{number}.execution_id = ev.execution_id "
                f"AND s{number}.context_id = ?"
            )
        values: list[Any] = list(contexts)
        if key is not None:
            text += (
                " JOIN EventPath k ON k.event_id = ev.id AND k.is_index_step = FALSE "
                "AND k.step_key = ?"
            )
            values.append(key)
        return f"{text} WHERE ev.artifact_id = a.id AND ev.type = 4) IS NOT NULL", values

    def get_artifact(self, artifact_id: int) -> ArtifactRecord:
        """Return an artifact, in any state.

        Raises:
            RecordNotFound: If no artifact has that id.
        """
        found = self.find_artifacts(ids=[artifact_id], states=())
        if not found:
            raise RecordNotFound(
                f"There is no artifact {artifact_id} in the store {self.location}."
            )
        return found[0]

    def latest_artifacts(
        self,
        type_name: str,
        *,
        pipeline: str | None = None,
        node_id: str | None = None,
        key: str | None = None,
        count: int = 1,
    ) -> list[Artifact]:
        """Return the newest live artifacts of a type, the newest first, as a Resolver wants them.

        Args:
            type_name: Name of the type.
            pipeline: Only what executions of this pipeline output.
            node_id: Only what this node of it output.
            key: Only what was output under this key.
            count: How many to return at most.
        """
        records = self.find_artifacts(
            type_name=type_name, pipeline=pipeline, node_id=node_id, key=key, limit=count
        )
        return [record.artifact for record in records]

    def latest_blessed_model(
        self,
        *,
        pipeline: str | None = None,
        without: Sequence[int] = (),
        fingerprints: Sequence[str] = (),
    ) -> tuple[Artifact, Artifact] | None:
        """Return the newest live Model that a live ModelBlessing blesses, and that; or None.

        A blessing counts whose custom property `blessed` is 1 and whose `current_model_id` is the
        model's id (or, if it has none, whose `current_model` is its uri).

        Args:
            pipeline: Only models and blessings that belong to this pipeline.
            without: Ids of models that are left out.
            fingerprints: Models of this content are left out.
        """
        where = ""
        values: list[Any] = []
        if pipeline is not None:
            member = (
                "AND EXISTS (SELECT 1 FROM Attribution s JOIN Context c ON c.id = s.context_id "
                "WHERE s.artifact_id = {}.id AND c.type_id = ? AND c.name = ?) "
            )
            where = member.format("m") + member.format("b")
            values = [self._types.context("pipeline"), pipeline] * 2
        if without:
            where += f"AND m.id NOT IN ({','.join('?' * len(without))}) "
            values += without
        if fingerprints:
            where += (
                "AND NOT EXISTS (SELECT 1 FROM penstock_artifact pa WHERE pa.artifact_id = m.id "
                f"AND pa.fingerprint IN ({','.join('?' * len(fingerprints))})) "
            )
            values += fingerprints
        answers = self._session.fetch(
            (_BLESSED.format(match=_BY_ID, where=where), values),
            (_BLESSED.format(match=_BY_URI, where=where), values),
        )
        pairs = [row for rows in answers for row in rows]
        if not pairs:
            return None
        model, blessing = max(pairs)
        found = {r.artifact.id: r.artifact for r in self.find_artifacts(ids=[model, blessing])}
        return found[model], found[blessing]

    def mark_deleted(self, artifact_ids: Iterable[int]) -> None:
        """Mark artifacts as DELETED: their executions are no longer cache hits."""
        rows = [(int(ArtifactState.DELETED), milliseconds(), number) for number in artifact_ids]
        self._session.atomically(
            lambda: self._session.execute_each(
                "UPDATE Artifact SET state = ?, last_update_time_since_epoch = ? WHERE id = ?",
                rows,
            )
        )

    def live_uris(self) -> dict[str, int]:
        """Return the URI of every live artifact with its id."""
        rows = self._session.query("SELECT uri, id FROM Artifact WHERE state = 2 ORDER BY id")
        return {str(uri): number for uri, number in rows if uri}

    def set_alias(self, alias: str, artifact_id: int) -> None:
        """Give an artifact an alias that is unique in the store; an artifact that had it loses it.

        Raises:
            RecordNotFound: If the artifact does not exist.
        """

        def write() -> None:
            self.get_artifact(artifact_id)
            self._session.execute("DELETE FROM penstock_alias WHERE alias = ?", (alias,))
            self._session.execute(
                "INSERT INTO penstock_alias(alias, artifact_id, set_at) VALUES (?, ?, ?)",
                (alias, artifact_id, milliseconds()),
            )

        self._session.atomically(write)

    def remove_alias(self, alias: str) -> None:
        """Remove an alias; do nothing if no artifact has it."""
        self._session.atomically(
            lambda: self._session.execute("DELETE FROM penstock_alias WHERE alias = ?", (alias,))
        )

    def aliases(self) -> dict[str, int]:
        """Return every alias with the id of its artifact."""
        rows = self._session.query("SELECT alias, artifact_id FROM penstock_alias ORDER BY alias")
        return {str(alias): number for alias, number in rows}

    def artifact_by_alias(self, alias: str) -> ArtifactRecord:
        """Return the artifact with the alias `alias`.

        Raises:
            RecordNotFound: If no artifact has it.
        """
        rows = self._session.query(
            "SELECT artifact_id FROM penstock_alias WHERE alias = ?", (alias,)
        )
        if not rows:
            there = ", ".join(self.aliases()) or "none"
            raise RecordNotFound(
                f"No artifact has the alias {alias!r} in the store {self.location}. Aliases: "
                f"{there}."
            )
        return self.get_artifact(rows[0][0])

    def _records(self, rows: Sequence[Row]) -> list[ArtifactRecord]:
        records = []
        for row in rows:
            artifact = build_artifact(*row[:6])
            records.append(
                ArtifactRecord(
                    artifact=artifact,
                    type_name=row[1],
                    created=row[6] / 1000,
                    execution_id=row[7],
                    pipeline=row[8],
                    run_id=row[9],
                    node_id=row[10],
                    key=row[11],
                    index=row[12] or 0,
                )
            )
        read_properties(self._session, [record.artifact for record in records])
        return records
