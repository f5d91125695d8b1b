"""The page of a ModelCard: the card itself."""

from __future__ import annotations

from penstock.artifacts import Artifact, location
from penstock.cards.html_page import HtmlPage
from penstock.cards.model_card import CARD_FILE


def content(artifact: Artifact) -> HtmlPage:
    """Return the card's own file."""
    path = f"{artifact.uri.rstrip('/')}/{CARD_FILE}"
    if not location.exists(path):
        raise FileNotFoundError(f"{path} is missing")
    return HtmlPage(location.read_bytes(path).decode())
