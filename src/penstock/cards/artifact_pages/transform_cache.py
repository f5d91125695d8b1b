"""The page of a TransformCache: the accumulators of the analyzers, by data set."""

from __future__ import annotations

import json
import re

from penstock.artifacts import Artifact, location
from penstock.cards.artifact_pages.blocks import row_table, section, tiles
from penstock.cards.html_page import PageContent
from penstock.cards.markup import tag
from penstock.quantities import size

_MANIFEST = "MANIFEST.json"


def content(artifact: Artifact) -> PageContent:
    """Return the content of the page."""
    files = dict(location.list_files(artifact.uri))
    manifests = [path for path in files if path.endswith(f"/{_MANIFEST}")]
    body, accumulators = [], 0
    for path in manifests:
        folder = path.removesuffix(f"/{_MANIFEST}")
        entries = json.loads(location.read_bytes(f"{artifact.uri}/{path}"))
        rows = []
        for entry in entries.values():
            count = files.get(f"{folder}/{entry['file']}")
            stored = tag("span", "missing" if count is None else size(count))
            rows.append([entry["analyzer"], entry["file"], stored])
        accumulators += len(rows)
        body.append(
            section(_data_set(folder), row_table(["analyzer", "file", "size"], rows, ["size"]))
        )
    total = size(sum(files.values()))
    figures = [
        (len(manifests), "data set" if len(manifests) == 1 else "data sets"),
        (accumulators, "accumulators"),
        (total, "in all"),
    ]
    return PageContent(head=[tiles(figures)], body=body)


def _data_set(folder: str) -> str:
    """Return what a folder's name says: the split, and the beginning of its files' digest."""
    name, _, digest = folder.rpartition("-")
    return f"{name} ({digest[:12]})" if re.fullmatch("[0-9a-f]{64}", digest) else folder
