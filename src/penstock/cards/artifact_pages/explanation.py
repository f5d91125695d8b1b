"""The page of an Explanation: the most important features, and the pictures."""

from __future__ import annotations

import json

from penstock.artifacts import Artifact, location
from penstock.cards.artifact_pages.blocks import row_table, section
from penstock.cards.artifact_pages.pictures import pictures_section
from penstock.cards.html_page import PageContent
from penstock.cards.markup import Child

_FILE = "explanation.json"


def content(artifact: Artifact) -> PageContent:
    """Return the content of the page."""
    path = f"{artifact.uri.rstrip('/')}/{_FILE}"
    try:
        found = json.loads(location.read_bytes(path))
        importances = {
            method: each["importances"] for method, each in found.items() if "importances" in each
        }
    except (ValueError, TypeError, AttributeError) as error:
        raise ValueError(f"{path} is damaged: {error}") from error
    body: list[Child] = []
    if importances:
        names = dict.fromkeys(name for each in importances.values() for name in each)
        rows = [[name, *(each.get(name) for each in importances.values())] for name in names]
        columns = ["feature", *(method.replace("_", " ") for method in importances)]
        body.append(section("Importance of features", row_table(columns, rows)))
    if (pictures := pictures_section(artifact)) is not None:
        body.append(pictures)
    return PageContent(body=body)
