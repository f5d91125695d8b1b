"""The page of ExampleAnomalies: what is wrong in each split."""

from __future__ import annotations

from penstock.artifacts import Artifact, ExampleAnomalies
from penstock.cards.anomalies_page import anomalies_content
from penstock.cards.artifact_pages.blocks import tiles, verdict
from penstock.cards.artifact_pages.split_files import files_by_split
from penstock.cards.html_page import PageContent
from penstock.cards.markup import Child
from penstock.data_validation import load_anomalies_binary


def content(artifact: Artifact) -> PageContent:
    """Return the content of the page."""
    assert isinstance(artifact, ExampleAnomalies)
    files = files_by_split(artifact, "SchemaDiff.pb")
    if not files:
        return PageContent(head=[verdict("No split was judged")])
    found = {name: load_anomalies_binary(path) for name, path in files.items()}
    if len(found) == 1:
        ((name, anomalies),) = found.items()
        return anomalies_content(anomalies, f" in {name}" if name else "")
    counts = {
        name: len(each.anomaly_info) + each.HasField("dataset_anomaly_info")
        for name, each in found.items()
    }
    wrong = [f"{count} in {name}" for name, count in counts.items() if count]
    empty = [f"{name} has not one row" for name, each in found.items() if each.data_missing]
    body: list[Child] = []
    for name, each in found.items():
        body += anomalies_content(each, f" in {name}").body
    title = "Anomalies" if wrong or empty else f"No anomalies in {', '.join(found)}"
    return PageContent(
        head=[
            verdict(title, [*wrong, *empty], ok=not (wrong or empty)),
            tiles((count, f"anomalies in {name}") for name, count in counts.items()),
        ],
        body=body,
    )
