"""Which page shows which type of artifact."""

from __future__ import annotations

import copy
import dataclasses
import importlib
import tempfile
from collections.abc import Callable
from typing import cast

from penstock.artifacts import Artifact, location
from penstock.cards.html_page import HtmlPage, PageContent

Content = Callable[[Artifact], PageContent | HtmlPage]
"""Makes the content of a page, or the whole page where the artifact is one."""


@dataclasses.dataclass(frozen=True)
class PageEntry:
    """A page.

    Args:
        module: The module in this package; its function `content` makes the page.
        shows: What the page shows, for sentences.
        reads_local_files: Whether what reads the artifact knows only local files; of an artifact elsewhere
            it is given a copy.
    """

    module: str
    shows: str
    reads_local_files: bool = False

    def content(self, artifact: Artifact) -> PageContent | HtmlPage:
        """Return the content of an artifact's page."""
        module = importlib.import_module(f"{__package__}.{self.module}")
        make = cast("Content", module.content)
        if not self.reads_local_files or location.is_local(artifact.uri):
            return make(artifact)
        with tempfile.TemporaryDirectory() as folder:
            for path, _ in location.list_files(artifact.uri):
                data = location.read_bytes(f"{artifact.uri.rstrip('/')}/{path}")
                location.write_bytes(f"{folder}/{path}", data)
            local = copy.copy(artifact)
            local.uri = folder
            try:
                return make(local)
            except (OSError, ValueError) as error:
                raise ValueError(str(error).replace(folder, artifact.uri)) from error


PAGES: dict[str, PageEntry] = {
    "Examples": PageEntry("examples", "its splits, counts and first rows"),
    "ExampleStatistics": PageEntry("statistics", "its features, all splits side by side"),
    "Schema": PageEntry("schema", "its features"),
    "ExampleAnomalies": PageEntry("anomalies", "what is wrong in each split"),
    "DriftReport": PageEntry("drift_report", "how far each feature has moved"),
    "Explanation": PageEntry("explanation", "importances and pictures", reads_local_files=True),
    "ExamplesDiff": PageEntry("examples_diff", "which features differ, and how many rows"),
    "TransformGraph": PageEntry("transform_graph", "features in and out, and vocabularies"),
    "TransformCache": PageEntry("transform_cache", "its accumulators"),
    "HyperParameters": PageEntry(
        "hyperparameters", "the values and the space searched", reads_local_files=True
    ),
    "TunerResults": PageEntry("trials", "its trials and their scores", reads_local_files=True),
    "Model": PageEntry("model", "its signatures, inputs and variables", reads_local_files=True),
    "ModelRun": PageEntry("model_run", "the learning curves"),
    "ModelEvaluation": PageEntry(
        "evaluation", "thresholds, metrics by slice and plots", reads_local_files=True
    ),
    "ModelBlessing": PageEntry("blessing", "the verdict and its reasons"),
    "InfraBlessing": PageEntry("blessing", "the verdict"),
    "ComparisonBlessing": PageEntry("blessing", "the verdict and its reasons"),
    "PushedModel": PageEntry(
        "pushed_model", "where the model was pushed to", reads_local_files=True
    ),
    "ModelCard": PageEntry("model_card", "the card"),
    "InferenceResult": PageEntry("inference_result", "its files and first records"),
    "ABComparison": PageEntry("ab_comparison", "the decision, and the difference in each metric"),
    "ModelComparison": PageEntry("model_comparison", "both scores of each metric"),
    "OptimizationReport": PageEntry(
        "optimization_report", "size, latency and metric beside the original"
    ),
    "ValueArtifact": PageEntry("value", "the value"),
    "Table": PageEntry("table", "its columns and first rows"),
    "Array": PageEntry("array", "its shape, type and first values"),
}
"""By type name; a type without an entry has the page of the nearest type that it extends."""

GENERIC = PageEntry("generic", "its properties and files")


def page_entry(artifact: Artifact) -> PageEntry:
    """Return the page of an artifact: its type's, the type's that it extends, or the generic one.

    Example:
        >>> page_entry(Integer("/tmp/i")).shows
        'the value'
    """
    for each in type(artifact).__mro__:
        name = each.__dict__.get("TYPE_NAME")
        if name in PAGES:
            return PAGES[name]
    return GENERIC
