"""What Kubeflow's own pages show of a node, beside the references: metrics, curves, pages.

They are further output artifacts of a task, of the types that Kubeflow's pages know: `system.Metrics`,
`system.ClassificationMetrics` (ROC curve and confusion matrix), `system.HTML`. Nothing reads them but
people, so a node does not fail because one of them cannot be made.
"""

from __future__ import annotations

import math
import sys
from collections.abc import Iterator, Mapping
from typing import Any

from penstock.artifacts import Artifact, layout, location
from penstock.graph import GraphNode
from penstock.launch.launcher import Ended
from penstock.runners.kubeflow.container.executor_input import OutputSlot

METRICS = "node-metrics"
CLASSIFICATION = "classification-metrics"
_PAGE = "page-"

_WITH_PAGE = (
    "ExampleStatistics", "Schema", "ExampleAnomalies", "ExamplesDiff", "DriftReport", "ModelRun",
    "TunerResults", "ModelEvaluation", "ModelCard",
)  # fmt: skip
"""Types of artifacts whose page says something of the run at a glance."""


def shown_outputs(node: GraphNode) -> dict[str, str]:
    """Return the further outputs of a node's task: name to Kubeflow's type.

    A hyphen keeps the names apart from the keys of artifacts, which are identifiers.

    Args:
        node: The node.
    """
    if node.kind != "component":
        return {}
    found = {METRICS: "system.Metrics"}
    types = {key: each.type_name for key, each in node.outputs.items()}
    if "ModelEvaluation" in types.values():
        found[CLASSIFICATION] = "system.ClassificationMetrics"
    return found | {
        f"{_PAGE}{key}": "system.HTML" for key, each in types.items() if each in _WITH_PAGE
    }


def is_shown(name: str) -> bool:
    """Return whether an output of a task is for Kubeflow's pages, and not a reference.

    Example:
        >>> is_shown("node-metrics"), is_shown("metrics")
        (True, False)
    """
    return "-" in name


def show(
    node: GraphNode, ended: Ended, seconds: float, slots: Mapping[str, OutputSlot]
) -> dict[str, dict[str, Any]]:
    """Write the further outputs of a node, and return their metadata by name.

    Args:
        node: The node.
        ended: How it ended.
        seconds: What it took.
        slots: Where Kubeflow wants its outputs; one that is not among them is left out.
    """
    found: dict[str, dict[str, Any]] = {}
    for name in slots:
        try:
            if name == METRICS:
                found[name] = _metrics(ended, seconds)
            elif name == CLASSIFICATION:
                found[name] = {
                    k: v for each in _evaluations(ended) for k, v in _curves(each).items()
                }
            elif name.startswith(_PAGE):
                _write_page(node, ended, name.removeprefix(_PAGE), slots[name])
                found[name] = {}
        except Exception as error:
            print(
                f"{node.id}: Kubeflow's pages will lack {name}: {type(error).__name__}: {error}",
                file=sys.stderr,
            )
    return found


def facts(node: GraphNode, ended: Ended, root: str) -> dict[str, Any]:
    """Return what the metadata of a node's references says of its execution.

    Args:
        node: The node.
        ended: How it ended.
        root: Folder or URL of the artifacts.
    """
    # As text: Kubeflow's numbers are floats, and an id may have 62 bits.
    found: dict[str, Any] = {"execution": str(ended.execution_id), "state": ended.state}
    if ended.verdict is not None:
        found["verdict"] = ended.verdict.text
    log = layout.log_file(root, node.id, ended.execution_id)
    if location.exists(log):
        found["log"] = log
    return found


def _metrics(ended: Ended, seconds: float) -> dict[str, Any]:
    """Return the metrics of an execution; Kubeflow's numbers are finite."""
    given: dict[str, Any] = {**ended.metrics, "seconds": round(seconds, 3)}
    if ended.state == "CACHED":
        given["cached"] = 1
    return {
        name: value if math.isfinite(value) else str(value) for name, value in sorted(given.items())
    }


def _evaluations(ended: Ended) -> Iterator[Artifact]:
    for artifacts in ended.outputs.values():
        for each in artifacts:
            if each.TYPE_NAME == "ModelEvaluation":
                yield each


def _curves(evaluation: Artifact) -> dict[str, Any]:
    """Return the ROC curve and confusion matrix as Kubeflow's `ClassificationMetrics` keep them."""
    from penstock.cards.classification_figures import classification_figures
    from penstock.io.files.temporary_copy import temporary_copy

    with temporary_copy(evaluation.uri) as folder:
        figures = classification_figures(folder)
    found: dict[str, Any] = {}
    if figures.roc:
        found["confidenceMetrics"] = [
            {"confidenceThreshold": threshold, "recall": recall, "falsePositiveRate": rate}
            for rate, recall, threshold in figures.roc
        ]
    if figures.cells:
        found["confusionMatrix"] = {
            "annotationSpecs": [{"displayName": name} for name in figures.classes],
            "rows": [{"row": list(row)} for row in figures.cells],
        }
    return found


def _write_page(node: GraphNode, ended: Ended, key: str, slot: OutputSlot) -> None:
    from penstock.cards import ArtifactFacts, artifact_page

    for artifact in ended.outputs.get(key, ())[:1]:
        page = artifact_page(
            artifact, ArtifactFacts(node_id=node.id, key=key, execution_id=ended.execution_id)
        )
        location.write_bytes(slot.path, page.html.encode())
