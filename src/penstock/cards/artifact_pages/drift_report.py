"""The page of a DriftReport."""

from __future__ import annotations

from penstock.artifacts import Artifact, location
from penstock.cards.drift_page import drift_content
from penstock.cards.html_page import PageContent
from penstock.data_validation.drift.report import DriftReport


def content(artifact: Artifact) -> PageContent:
    """Return the content of the page."""
    data = location.read_bytes(f"{artifact.uri.rstrip('/')}/drift.json")
    return drift_content(DriftReport.from_json(data.decode()))
