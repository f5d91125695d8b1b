"""The page of a Model."""

from __future__ import annotations

from penstock.artifacts import Artifact, Model
from penstock.cards.artifact_pages.blocks import tiles, verdict
from penstock.cards.artifact_pages.saved_model import is_saved_model, saved_model_content
from penstock.cards.html_page import PageContent


def content(artifact: Artifact) -> PageContent:
    """Return the content of the page."""
    assert isinstance(artifact, Model)
    if not is_saved_model(artifact.serving_uri):
        return PageContent(
            head=[verdict(f"There is no SavedModel, in {Model.SERVING_FOLDER} or by itself")]
        )
    figures, body = saved_model_content(artifact.serving_uri)
    return PageContent(head=[tiles(figures)], body=body)
