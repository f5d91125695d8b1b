"""The page of an InferenceResult: how much there is, and the first records."""

from __future__ import annotations

from penstock.artifacts import Artifact, location
from penstock.cards.artifact_pages.blocks import first_rows_section, tiles
from penstock.cards.html_page import PageContent
from penstock.cards.row_preview import first_rows
from penstock.quantities import size


def content(artifact: Artifact) -> PageContent:
    """Return the content of the page."""
    files = location.list_files(artifact.uri)
    total = size(sum(count for _, count in files))
    figures = [(len(files), "file" if len(files) == 1 else "files"), (total, "in all")]
    sections = [first_rows_section(found) for found in first_rows(artifact)]
    return PageContent(head=[tiles(figures)], body=sections)
