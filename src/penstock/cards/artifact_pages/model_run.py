"""The page of a ModelRun: the curves of training, and what the training doctor found."""

from __future__ import annotations

import json

from penstock.artifacts import Artifact, location
from penstock.cards.artifact_pages.blocks import section, text_block, tiles, verdict
from penstock.cards.artifact_pages.pictures import pictures_section
from penstock.cards.html_page import PageContent
from penstock.cards.markup import Child
from penstock.cards.sections import training_section, words
from penstock.cards.training_findings import HEADING, findings_table
from penstock.training.doctor.report import read_findings
from penstock.training.history_pictures import FOLDER as CURVES

_HEADLINES = 11
_FILE = "history.json"


def content(artifact: Artifact) -> PageContent:
    """Return the content of the page."""
    path = f"{artifact.uri}/{_FILE}"
    head: list[Child] = [verdict("Training left no history: run_fn returned no numbers by epoch")]
    body: list[Child] = []
    if location.exists(path):
        history = _read(path)
        lasts = [(values[-1], words(name)) for name, values in history.items() if values]
        epochs = max(map(len, history.values()), default=0)
        shown = lasts[:_HEADLINES]
        head = [tiles([(epochs, "epoch" if epochs == 1 else "epochs"), *shown])]
        found = training_section({"training": {"history": history}}) if epochs > 1 else None
        if found is not None:
            body.append(section("Learning curves", found[2]))
    if findings := read_findings(artifact.uri):
        body.insert(0, section(HEADING, findings_table([each.values() for each in findings])))
    if (pictures := pictures_section(artifact, without=(CURVES,))) is not None:
        body.append(pictures)
    if any("tfevents" in name for name, _ in location.list_files(artifact.uri)):
        body.append(section("TensorBoard", text_block(f"tensorboard --logdir {artifact.uri}")))
    return PageContent(head=head, body=body)


def _read(path: str) -> dict[str, list[float]]:
    try:
        history = json.loads(location.read_bytes(path))
        return {str(name): list(values) for name, values in history.items()}
    except (ValueError, TypeError, AttributeError) as error:
        raise ValueError(f"{path} is damaged: {error}") from error
