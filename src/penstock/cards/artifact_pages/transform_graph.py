"""The page of a TransformGraph: features in and out, vocabularies with their first terms."""

from __future__ import annotations

import json

from penstock.artifacts import Artifact, TransformGraph, location
from penstock.cards.artifact_pages.blocks import section, tiles
from penstock.cards.html_page import PageContent
from penstock.cards.markup import Child, Markup, tag
from penstock.cards.row_preview import cell_text, vocabulary_files, vocabulary_terms
from penstock.cards.schema_page import features_table
from penstock.cards.schema_rows import schema_rows
from penstock.cards.tables import table
from penstock.data_validation import load_schema_text

_TERMS = 20
_SIDES = (("metadata", "Features in"), ("transformed_metadata", "Features out"))


def content(artifact: Artifact) -> PageContent:
    """Return the content of the page."""
    assert isinstance(artifact, TransformGraph)
    body: list[Child] = []
    figures: list[tuple[object, str]] = []
    for folder, heading in _SIDES:
        path = f"{artifact.uri}/{folder}/schema.pbtxt"
        if location.exists(path):
            rows = schema_rows(load_schema_text(path))
            figures.append((len(rows), heading.lower()))
            body.append(section(heading, features_table(rows)))
    files = vocabulary_files(artifact)
    if files:
        body.append(section("Vocabularies", _vocabularies(artifact.uri, files)))
    figures.append((len(files), "vocabulary" if len(files) == 1 else "vocabularies"))
    return PageContent(head=[tiles(figures)], body=body)


def _vocabularies(uri: str, files: dict[str, str]) -> Markup:
    names = _names(uri)
    rows = []
    for file, path in files.items():
        terms, total = vocabulary_terms(path, _TERMS)
        chips: list[Child] = [
            tag("span", cell_text(term) or "(empty)", class_="chip") for term in terms
        ]
        if total > len(terms):
            chips.append(tag("span", f"and {total - len(terms):,} more", class_="muted"))
        shown = tag("div", chips, class_="chips")
        cells = [tag("td", tag("b", names.get(file, file))), tag("td", f"{total:,}", class_="num")]
        rows.append(tag("tr", cells, tag("td", shown, class_="wide")))
    head = [tag("th", "name"), tag("th", "terms", class_="num"), tag("th", "first")]
    return table(head, rows)


def _names(uri: str) -> dict[str, str]:
    """Return the names that `preprocessing_fn` gave, by file."""
    path = f"{uri}/transformed_metadata/asset_map"
    if not location.exists(path):
        return {}
    return {file: name for name, file in json.loads(location.read_bytes(path)).items()}
