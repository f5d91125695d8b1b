"""Metrics of binary confusion matrices: accuracy, precision, recall, AUC and their kin.

Definitions follow TensorFlow Model Analysis 0.52, tensorflow_model_analysis/metrics/
confusion_matrix_metrics.py; a ratio without a denominator is NaN.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import numpy.typing as npt

from penstock.evaluation.metrics.matrices import Matrices, MatrixSource, ratio
from penstock.evaluation.metrics.registry import Computation, MetricValue, metric

FloatArray = npt.NDArray[np.float64]
MatrixFunction = Callable[[FloatArray, FloatArray, FloatArray, FloatArray], FloatArray]


def _both(tp: FloatArray, tn: FloatArray, fp: FloatArray, fn: FloatArray) -> FloatArray:
    return ratio(tp, tp + fn) + ratio(tn, tn + fp)


def _prevalence_threshold(
    tp: FloatArray, tn: FloatArray, fp: FloatArray, fn: FloatArray
) -> FloatArray:
    tpr, tnr = ratio(tp, tp + fn), ratio(tn, tn + fp)
    return np.divide(np.sqrt(tpr * (1 - tnr)) + tnr - 1, tpr + tnr - 1)


def _matthews(tp: FloatArray, tn: FloatArray, fp: FloatArray, fn: FloatArray) -> FloatArray:
    return ratio(tp * tn - fp * fn, np.sqrt((tp + fp) * (tp + fn) * (tn + fp) * (tn + fn)))


def _diagnostic_odds(tp: FloatArray, tn: FloatArray, fp: FloatArray, fn: FloatArray) -> FloatArray:
    return ratio(ratio(tp, fn), ratio(fp, np.where(tn > 0, tn, np.nan)))


_FUNCTIONS: dict[tuple[str, ...], MatrixFunction] = {
    ("TruePositives", "TP"): lambda tp, tn, fp, fn: tp,
    ("TrueNegatives", "TN"): lambda tp, tn, fp, fn: tn,
    ("FalsePositives", "FP"): lambda tp, tn, fp, fn: fp,
    ("FalseNegatives", "FN"): lambda tp, tn, fp, fn: fn,
    ("BinaryAccuracy",): lambda tp, tn, fp, fn: ratio(tp + tn, tp + tn + fp + fn),
    ("Precision", "PPV"): lambda tp, tn, fp, fn: ratio(tp, tp + fp),
    ("Recall", "TPR"): lambda tp, tn, fp, fn: ratio(tp, tp + fn),
    ("Specificity", "TNR"): lambda tp, tn, fp, fn: ratio(tn, tn + fp),
    ("FallOut", "FPR"): lambda tp, tn, fp, fn: ratio(fp, fp + tn),
    ("MissRate", "FNR"): lambda tp, tn, fp, fn: ratio(fn, fn + tp),
    ("NegativePredictiveValue", "NPV"): lambda tp, tn, fp, fn: ratio(tn, tn + fn),
    ("FalseDiscoveryRate",): lambda tp, tn, fp, fn: ratio(fp, fp + tp),
    ("FalseOmissionRate",): lambda tp, tn, fp, fn: ratio(fn, fn + tn),
    ("Prevalence",): lambda tp, tn, fp, fn: ratio(tp + fn, tp + tn + fp + fn),
    ("PrevalenceThreshold",): _prevalence_threshold,
    ("ThreatScore",): lambda tp, tn, fp, fn: ratio(tp, tp + fn + fp),
    ("BalancedAccuracy",): lambda tp, tn, fp, fn: _both(tp, tn, fp, fn) / 2,
    ("F1Score",): lambda tp, tn, fp, fn: ratio(2 * tp, 2 * tp + fp + fn),
    ("MatthewsCorrelationCoefficient",): _matthews,
    ("FowlkesMallowsIndex",): lambda tp, tn, fp, fn: np.sqrt(
        ratio(tp, tp + fp) * ratio(tp, tp + fn)
    ),
    ("Informedness",): lambda tp, tn, fp, fn: _both(tp, tn, fp, fn) - 1,
    ("Markedness",): lambda tp, tn, fp, fn: ratio(tp, tp + fp) + ratio(tn, tn + fn) - 1,
    ("PositiveLikelihoodRatio",): lambda tp, tn, fp, fn: ratio(
        ratio(tp, tp + fn), ratio(fp, fp + tn)
    ),
    ("NegativeLikelihoodRatio",): lambda tp, tn, fp, fn: ratio(
        ratio(fn, fn + tp), ratio(tn, tn + fp)
    ),
    ("DiagnosticOddsRatio",): _diagnostic_odds,
    ("PredictedPositiveRate",): lambda tp, tn, fp, fn: ratio(tp + fp, tp + tn + fp + fn),
}


def _register(class_name: str, function: MatrixFunction) -> None:
    @metric(class_name)
    def build(
        thresholds: float | list[float] | None = None,
        num_thresholds: int | None = None,
    ) -> Computation:
        def value(matrices: Matrices) -> MetricValue:
            with np.errstate(invalid="ignore", divide="ignore"):
                values = function(matrices.tp, matrices.tn, matrices.fp, matrices.fn)
            return float(values[0]) if len(values) == 1 else values

        def at(default: float) -> Computation:
            source = MatrixSource.of(thresholds, num_thresholds, default)
            return _computation(source, value)

        # Among the best classes any score is positive; the others' scores are minus infinity.
        return replace(at(0.5), for_top_k=at(-np.inf))


for _names, _function in _FUNCTIONS.items():
    for _name in _names:
        _register(_name, _function)


def _computation(
    source: MatrixSource,
    value: Callable[[Matrices], MetricValue],
    *,
    distinct: bool = False,
) -> Computation:
    """Return a value of matrices: at all thresholds, or at those where they differ if that suffices."""
    matrices = source.distinct_matrices if distinct else source.matrices
    return Computation(
        kernel=source.kernel,
        value=lambda state: value(matrices(state)),
        labels="binary",
    )


@metric("ConfusionMatrixAtThresholds")
def confusion_matrix_at_thresholds(
    thresholds: list[float] | None = None, num_thresholds: int | None = None
) -> Computation:
    """All four counts and the ratios of them, at thresholds (0.5 when none is given)."""
    return _computation(MatrixSource.of(thresholds, num_thresholds, 0.5), lambda m: m)


@metric("AUC")
def auc(
    num_thresholds: int | None = None,
    curve: str = "ROC",
    summation_method: str = "interpolation",
    thresholds: list[float] | None = None,
    multi_label: bool = False,
    from_logits: bool = False,
) -> Computation:
    """Area under the ROC or precision-recall curve, by a Riemann sum over thresholds."""
    if multi_label or from_logits:
        raise ValueError("AUC supports neither multi_label nor from_logits, as in TFMA.")
    source = MatrixSource.of(thresholds, num_thresholds)
    return _computation(source, lambda m: _area(m, curve.upper(), summation_method), distinct=True)


@metric("AUCPrecisionRecall")
def auc_precision_recall(
    num_thresholds: int | None = None,
    summation_method: str = "interpolation",
    thresholds: list[float] | None = None,
) -> Computation:
    """Area under the precision-recall curve."""
    return auc(num_thresholds, "PR", summation_method, thresholds)


def _area(matrices: Matrices, curve: str, method: str) -> float:
    tp, tn, fp, fn = matrices.tp, matrices.tn, matrices.fp, matrices.fn
    if curve == "PR" and method == "interpolation":
        return _interpolated_pr_area(tp, fp, fn)
    recall = _ratio_or_zero(tp, tp + fn)
    if curve == "ROC":
        x, y = _ratio_or_zero(fp, fp + tn), recall
    else:
        x, y = recall, _ratio_or_zero(tp, tp + fp)
    combine = {"minoring": np.minimum, "majoring": np.maximum}.get(
        method, lambda a, b: (a + b) / 2.0
    )
    return float(np.nansum((x[:-1] - x[1:]) * combine(y[:-1], y[1:])))


def _ratio_or_zero(numerator: FloatArray, denominator: FloatArray) -> FloatArray:
    """Return the quotient, 0 without a denominator; with negative weights that is negative, too."""
    result = np.zeros_like(denominator)
    return np.divide(numerator, denominator, out=result, where=denominator != 0)


def _interpolated_pr_area(tp: FloatArray, fp: FloatArray, fn: FloatArray) -> float:
    """Interpolates positives, not precision, between thresholds (Davis & Goadrich 2006)."""
    positives = tp + fp
    steps, gained = positives[:-1] - positives[1:], tp[:-1] - tp[1:]
    with np.errstate(invalid="ignore", divide="ignore"):
        slope = gained / np.maximum(steps, 0)
        intercept = tp[1:] - slope * positives[1:]
        growth = np.divide(
            positives[:-1], positives[1:], out=np.ones_like(steps), where=positives[1:] != 0
        )
        area = slope * (gained + intercept * np.log(growth)) / np.maximum(tp[1:] + fn[1:], 0)
    return float(np.nansum(area))


def _best(
    of: Callable[[Matrices], FloatArray],
    where: Callable[[Matrices], FloatArray],
    bound: float | list[float],
    at_most: bool = False,
) -> Callable[[Matrices], MetricValue]:
    """Return the greatest value of one ratio over the thresholds at which another meets a bound."""

    def value(matrices: Matrices) -> MetricValue:
        values, constrained = of(matrices), where(matrices)
        results = []
        for limit in [bound] if isinstance(bound, int | float) else bound:
            feasible = values[constrained <= limit if at_most else constrained >= limit]
            known = feasible[~np.isnan(feasible)]
            undefined = float("nan") if len(feasible) else 0.0
            results.append(float(known.max()) if len(known) else undefined)
        return results[0] if isinstance(bound, int | float) else np.array(results)

    return value


def recall_of(m: Matrices) -> FloatArray:
    """Return the share of positives that are found, at each threshold."""
    return ratio(m.tp, m.tp + m.fn)


def precision_of(m: Matrices) -> FloatArray:
    """Return the share of what is found that is positive, at each threshold."""
    return ratio(m.tp, m.tp + m.fp)


def _specificity(m: Matrices) -> FloatArray:
    return ratio(m.tn, m.tn + m.fp)


@metric("SensitivityAtSpecificity")
def sensitivity_at_specificity(
    specificity: float | list[float],
    num_thresholds: int | None = None,
    thresholds: list[float] | None = None,
) -> Computation:
    """Return the best recall at a specificity of at least `specificity`."""
    value = _best(recall_of, _specificity, specificity)
    return _computation(MatrixSource.of(thresholds, num_thresholds), value, distinct=True)


@metric("SpecificityAtSensitivity")
def specificity_at_sensitivity(
    sensitivity: float | list[float],
    num_thresholds: int | None = None,
    thresholds: list[float] | None = None,
) -> Computation:
    """Return the best specificity at a recall of at least `sensitivity`."""
    value = _best(_specificity, recall_of, sensitivity)
    return _computation(MatrixSource.of(thresholds, num_thresholds), value, distinct=True)


@metric("PrecisionAtRecall")
def precision_at_recall(
    recall: float | list[float],
    num_thresholds: int | None = None,
    thresholds: list[float] | None = None,
) -> Computation:
    """Return the best precision at a recall of at least `recall`."""
    value = _best(precision_of, recall_of, recall)
    return _computation(MatrixSource.of(thresholds, num_thresholds), value, distinct=True)


@metric("RecallAtPrecision")
def recall_at_precision(
    precision: float | list[float],
    num_thresholds: int | None = None,
    thresholds: list[float] | None = None,
) -> Computation:
    """Return the best recall at a precision of at least `precision`."""
    value = _best(recall_of, precision_of, precision)
    return _computation(MatrixSource.of(thresholds, num_thresholds), value, distinct=True)


@metric("RecallAtFalsePositiveRate")
def recall_at_false_positive_rate(
    false_positive_rate: float | list[float],
    num_thresholds: int | None = None,
    thresholds: list[float] | None = None,
) -> Computation:
    """Return the best recall at a false positive rate of at most `false_positive_rate`."""
    value = _best(recall_of, lambda m: ratio(m.fp, m.fp + m.tn), false_positive_rate, at_most=True)
    return _computation(MatrixSource.of(thresholds, num_thresholds), value, distinct=True)


@metric("ThresholdAtRecall")
def threshold_at_recall(
    recall: float | list[float],
    num_thresholds: int | None = None,
    thresholds: list[float] | None = None,
) -> Computation:
    """Return the greatest threshold with a recall of at least `recall`."""
    value = _best(lambda m: m.thresholds, recall_of, recall)
    return _computation(MatrixSource.of(thresholds, num_thresholds), value, distinct=True)


@metric("MaxRecall")
def max_recall() -> Computation:
    """Return the recall where any score above zero is positive, as COCO defines it."""
    source = MatrixSource.of(1e-12, None)
    return _computation(source, lambda matrices: float(recall_of(matrices)[0]))
