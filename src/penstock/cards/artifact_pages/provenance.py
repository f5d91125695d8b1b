"""The foot of an artifact's page: what it is, where it comes from, what was made from it, its files."""

from __future__ import annotations

from collections.abc import Sequence

from penstock.artifacts import Artifact, location
from penstock.cards.artifact_pages.blocks import fact_table, row_table, section
from penstock.cards.artifact_pages.facts import ArtifactFacts, RelatedArtifact
from penstock.cards.markup import Markup, tag
from penstock.quantities import moment, size

_LISTED_FILES = 40


def provenance_sections(artifact: Artifact, facts: ArtifactFacts) -> list[Markup]:
    """Return the sections about where an artifact comes from."""
    written = f"{facts.node_id}.{facts.key}" if facts.node_id else None
    if written and facts.execution_id is not None:
        written += f", execution {facts.execution_id}"
    run = tag("span", facts.run_id, _hint(facts.run_id)) if facts.run_id else None
    about = fact_table(
        {
            "id": artifact.id,
            "type": artifact.TYPE_NAME,
            "name": artifact.name,
            "aliases": ", ".join(facts.aliases),
            "written by": written,
            "pipeline": facts.pipeline,
            "run": run,
            "created": moment(facts.created) if facts.created is not None else None,
            "fingerprint": artifact.fingerprint,
            "uri": artifact.uri,
        }
    )
    sections = [section("About this artifact", about, _properties(artifact))]
    if facts.made_from or facts.used_for:
        tables = [
            tag("div", tag("h3", heading), _related(related))
            for heading, related in (
                ("Made from", facts.made_from),
                ("Made from it", facts.used_for),
            )
            if related
        ]
        sections.append(section("Lineage", tag("div", tables, class_="figures")))
    return sections


def files_section(artifact: Artifact, *, unfolded: bool = False) -> Markup:
    """Return the section that lists the files with their sizes; folded at first, unless `unfolded`."""
    files = location.list_files(artifact.uri)
    total = size(sum(count for _, count in files))
    title = f"{len(files)} file{'' if len(files) == 1 else 's'}, {total}"
    rows = [[path, tag("span", size(count))] for path, count in files[:_LISTED_FILES]]
    more = len(files) - _LISTED_FILES
    rest = tag("p", f"and {more} more", class_="muted") if more > 0 else None
    listed = tag(
        "details",
        tag("summary", title),
        row_table(["file", "size"], rows, ["size"]),
        rest,
        open=unfolded,
    )
    return section("Files", listed)


def _properties(artifact: Artifact) -> Markup | None:
    properties = {**artifact.properties, **artifact.custom_properties}
    if not properties:
        return None
    summary = f"{len(properties)} propert{'y' if len(properties) == 1 else 'ies'}"
    return tag("details", tag("summary", summary), fact_table(properties))


def _related(related: Sequence[RelatedArtifact]) -> Markup:
    if not any(each.node_id for each in related):  # TFX wrote them
        return row_table(
            ["type", "look"], [[each.type_name, _command(each.id)] for each in related]
        )
    rows = [[each.type_name, each.node_id, _command(each.id)] for each in related]
    return row_table(["type", "node", "look"], rows)


def _hint(name: str) -> Markup:
    return tag("span", " ", _command(name))


def _command(name: object) -> Markup:
    return tag("code", f"penstock open {name}", class_="command")
