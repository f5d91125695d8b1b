"""The page of a Schema."""

from __future__ import annotations

from penstock.artifacts import Artifact, Schema
from penstock.cards.html_page import PageContent
from penstock.cards.schema_page import schema_content
from penstock.data_validation import load_schema_text


def content(artifact: Artifact) -> PageContent:
    """Return the content of the page."""
    assert isinstance(artifact, Schema)
    return schema_content(load_schema_text(artifact.file))
