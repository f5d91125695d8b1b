"""The page of a PushedModel: where it went, and the model."""

from __future__ import annotations

from penstock.artifacts import Artifact
from penstock.cards.artifact_pages.blocks import tiles, verdict
from penstock.cards.artifact_pages.saved_model import is_saved_model, saved_model_content
from penstock.cards.html_page import PageContent
from penstock.cards.markup import Child


def content(artifact: Artifact) -> PageContent:
    """Return the content of the page."""
    said = artifact.custom_properties
    pushed = bool(said.get("pushed"))
    reasons = said.get("reasons") or []
    lines = [str(each) for each in (reasons if isinstance(reasons, list) else [reasons])]
    title = "Not pushed"
    if pushed:
        title = f"Pushed as version {said.get('pushed_version')}"
        lines = [f"to {said.get('pushed_destination')}", *lines]
        if said.get("model_name"):
            lines.append(
                f"penstock models {said['model_name']} {said.get('pushed_version')} says more"
            )
    head: list[Child] = [verdict(title, lines, ok=pushed)]
    body: list[Child] = []
    if is_saved_model(artifact.uri):
        figures, body = saved_model_content(artifact.uri)
        head.append(tiles(figures))
    return PageContent(head=head, body=body)
