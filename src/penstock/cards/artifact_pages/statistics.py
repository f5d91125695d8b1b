"""The page of ExampleStatistics: every feature, all splits side by side."""

from __future__ import annotations

import dataclasses

from penstock.artifacts import Artifact, ExampleStatistics
from penstock.cards.artifact_pages.split_files import files_by_split
from penstock.cards.html_page import PageContent
from penstock.cards.markup import tag
from penstock.cards.statistics_page import statistics_content
from penstock.data_validation import load_statistics
from penstock.data_validation.schema_inference import default_dataset

_MOST_SPLITS = 6
"""As many as can be told apart by colour."""


def content(artifact: Artifact) -> PageContent:
    """Return the content of the page."""
    assert isinstance(artifact, ExampleStatistics)
    files = files_by_split(artifact, "FeatureStats.pb")
    if not files:
        return PageContent(head=[tag("p", "There are no splits.", class_="lead")])
    shown = dict(list(files.items())[:_MOST_SPLITS])
    datasets = [default_dataset(load_statistics(path), path) for path in shown.values()]
    found = statistics_content(datasets, [name or "statistics" for name in shown])
    if len(files) == len(shown):
        return found
    rest = ", ".join(name for name in files if name not in shown)
    note = tag("p", f"The first {_MOST_SPLITS} splits are shown, and not {rest}.", class_="lead")
    return dataclasses.replace(found, head=[note, *found.head])
