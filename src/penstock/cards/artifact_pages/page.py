"""The page of an artifact: what its type shows, and below where it comes from and what it consists of."""

from __future__ import annotations

import zlib
from collections.abc import Mapping, Sequence
from typing import Any

from google.protobuf import text_format
from google.protobuf.message import DecodeError

from penstock.artifacts import Artifact
from penstock.cards.artifact_pages.blocks import (
    fact_table,
    row_table,
    section,
    text_block,
    verdict,
)
from penstock.cards.artifact_pages.facts import ArtifactFacts
from penstock.cards.artifact_pages.provenance import files_section, provenance_sections
from penstock.cards.artifact_pages.registry import GENERIC, page_entry
from penstock.cards.html_page import HtmlPage, PageContent, data_page
from penstock.cards.markup import Markup, join

_DAMAGE = (OSError, ValueError, EOFError, zlib.error, DecodeError, text_format.ParseError)


class UnreadableArtifact(ValueError):
    """A file of an artifact is missing or damaged; the message names it."""


def artifact_page(artifact: Artifact, facts: ArtifactFacts | None = None) -> HtmlPage:
    """Make the page of an artifact, whatever its type.

    A class of your own says what its page shows by `Artifact.page_sections`.

    Args:
        artifact: The artifact.
        facts: What the store knows of it besides.

    Raises:
        UnreadableArtifact: If a file of it is missing or damaged.

    Example:
        >>> artifact_page(examples).write("examples.html")
    """
    facts = facts or ArtifactFacts()
    notes = list(facts.notes)
    try:
        own = _own_sections(artifact, notes)
        entry = page_entry(artifact)
        content = entry.content(artifact) if own is None else own
        files = files_section(artifact, unfolded=entry is GENERIC)
    except _DAMAGE as error:
        raise UnreadableArtifact(
            f"{_name(artifact)} at {artifact.uri} cannot be shown: {error}"
        ) from error
    foot = [files, *provenance_sections(artifact, facts)]
    if isinstance(content, HtmlPage):
        return _with_foot(content, foot)
    remarks = [verdict(note) for note in notes]
    where = f" of {facts.node_id}" if facts.node_id else ""
    return data_page(
        kind=artifact.TYPE_NAME,
        title=f"{_name(artifact)}{where}",
        head=[*remarks, *content.head],
        body=[*content.body, *foot],
        script=content.script,
    )


def _name(artifact: Artifact) -> str:
    return artifact.TYPE_NAME if artifact.id is None else f"{artifact.TYPE_NAME} {artifact.id}"


def _own_sections(artifact: Artifact, notes: list[str]) -> PageContent | None:
    """Return what a class of the user's own shows; a fault in it becomes a note."""
    try:
        own = artifact.page_sections()
        if own is None:
            return None
        return PageContent(body=[_own_section(str(name), each) for name, each in own.items()])
    except Exception as error:
        where = f"{type(artifact).__module__}.{type(artifact).__qualname__}"
        notes.append(f"{where}.page_sections() raised {type(error).__name__}: {error}")
        return None


def _own_section(heading: str, content: Any) -> Markup:
    if isinstance(content, Markup):
        return section(heading, content)
    if isinstance(content, str):
        return section(heading, text_block(content))
    if isinstance(content, Mapping):
        return section(heading, fact_table(content))
    if isinstance(content, (list, tuple)) and all(isinstance(row, Mapping) for row in content):
        columns = list(dict.fromkeys(str(name) for row in content for name in row))
        rows = [[row.get(name) for name in columns] for row in content]
        return section(heading, row_table(columns, rows))
    raise TypeError(
        f"a section is text, a dict, a list of dicts, or markup of penstock.cards.tag. "
        f"Received for {heading!r}: {type(content).__name__}"
    )


def _with_foot(page: HtmlPage, foot: Sequence[Markup]) -> HtmlPage:
    """Return a page that is a file of its own with the sections added before its footer."""
    before, footer, after = page.html.rpartition("<footer>")
    return HtmlPage(f"{before}{join(foot)}{footer}{after}") if footer else page
