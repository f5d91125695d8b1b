"""The ROC curve and confusion matrix of an evaluation as numbers, for pages that draw them themselves."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping, Sequence
from typing import Any

from penstock.cards.evaluation_plots import confusion_cells, plots_of, thinned

_MOST_CLASSES = 50
_MOST_POINTS = 400


@dataclasses.dataclass(frozen=True)
class ClassificationFigures:
    """What an evaluation's plots say of a classifier on the whole data set.

    Attributes:
        roc: Points (false positive rate, recall, threshold); empty if the evaluation has none.
        classes: Names of the classes of the confusion matrix.
        cells: Examples by actual class and predicted class; empty if there is no matrix.
    """

    roc: Sequence[tuple[float, float, float]] = ()
    classes: Sequence[str] = ()
    cells: Sequence[Sequence[float]] = ()


def classification_figures(folder: str) -> ClassificationFigures:
    """Return the curve and the matrix of the candidate on the whole data set.

    They are there if plots were asked for (`ConfusionMatrixPlot`, `MultiClassConfusionMatrixPlot`). Of
    several outputs the first counts. The matrix of two classes is that at the threshold nearest 0.5.

    Args:
        folder: The evaluation's folder, local.

    Example:
        >>> classification_figures("evaluation/7").roc[0]
        (1.0, 1.0, 0.0)
    """
    from penstock.cards.slice_metrics import OVERALL, baseline_names
    from penstock.evaluation.class_names import read_class_names
    from penstock.evaluation.keys import MetricKey, message_slice_name
    from penstock.evaluation.records import read_messages

    names = read_class_names(folder)
    baselines = baseline_names(folder)
    for message in read_messages(folder, "plots"):
        if message_slice_name(message) != OVERALL:
            continue
        pairs = [
            (MetricKey.from_proto(each.key), each.value) for each in message.plot_keys_and_values
        ]
        plots = plots_of([each for each in pairs if each[0].model_name not in baselines], names)
        if plots:
            return _figures(plots, names)
    return ClassificationFigures()


def _figures(plots: Mapping[Any, Any], names: Sequence[str]) -> ClassificationFigures:
    """Return the figures of the first output: of all its classes together, or of the only one."""
    _, first, _ = next(iter(plots))
    own = {of: plot for (_, output, of), plot in plots.items() if output == first}
    curves = {of: plot.confusion_matrix_at_thresholds.matrices for of, plot in own.items()}
    curves = {of: matrices for of, matrices in curves.items() if matrices}
    of = "" if "" in curves else next(iter(curves), "")
    found = ClassificationFigures()
    if of == "" or len(curves) == 1:
        found = ClassificationFigures(_roc(curves.get(of, ())))
    if "" in curves:
        near = min(curves[""], key=lambda each: abs(each.threshold - 0.5))
        cells = [
            [near.true_negatives, near.false_positives],
            [near.false_negatives, near.true_positives],
        ]
        classes = names if len(names) == 2 else ("0", "1")
        found = dataclasses.replace(found, classes=classes, cells=cells)
    for plot in own.values():
        for matrix in plot.multi_class_confusion_matrix_at_thresholds.matrices[:1]:
            of_classes, classes = confusion_cells(matrix, names)
            if len(classes) <= _MOST_CLASSES:
                found = dataclasses.replace(found, classes=classes, cells=of_classes)
    return found


def _roc(matrices: Any) -> list[tuple[float, float, float]]:
    """Return the points of the curve that can be told apart, by falling threshold."""
    by_threshold = sorted(matrices, key=lambda each: -each.threshold)
    curve = [(each.false_positive_rate, each.recall) for each in by_threshold]
    shown = set(thinned(curve))
    points = []
    for each, place in zip(by_threshold, curve, strict=True):
        if place in shown and all(math.isfinite(value) for value in place):
            shown.discard(place)
            points.append((*place, each.threshold))
    return points[:: max(1, len(points) // _MOST_POINTS)]
