"""The page of ExampleStatistics: every feature, all splits side by side."""

from __future__ import annotations

from penstock.artifacts import Artifact, ExampleStatistics
from penstock.cards.artifact_pages.split_files import files_by_split
from penstock.cards.html_page import PageContent
from penstock.cards.statistics_page import statistics_content
from penstock.data_validation import load_statistics
from penstock.data_validation.schema_inference import default_dataset


def content(artifact: Artifact) -> PageContent:
    """Return what the page shows."""
    assert isinstance(artifact, ExampleStatistics)
    files = files_by_split(artifact, "FeatureStats.pb")
    datasets = [default_dataset(load_statistics(path), path) for path in files.values()]
    return statistics_content(datasets, [name or "statistics" for name in files])
