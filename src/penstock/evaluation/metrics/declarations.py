"""The table of the metrics: their names, arguments and what they need; without NumPy."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class MetricDeclaration:
    """A metric as an EvalConfig may ask for it.

    Args:
        name: The name of its value, unless the configuration gives one.
        arguments: The kind of each argument, one of `catalog.KINDS`.
        required: Arguments without a default.
        choices: The values that an argument of text may have.
        features: Arguments that name a feature of the examples.
        parts: For a metric of several values, the arguments that name them, and the default names.
        is_plot: Whether it goes among the plots.
        is_structured: Whether its value is neither a number nor an array.
        is_attribution: Whether it goes among the attributions.
        binarizes: Whether it has a value for a single class.
        aggregates: Whether it has an average over classes.
        needs_label: Whether it needs labels.
        compares: Whether it compares the model's predictions with the baseline's.
        ranks: Whether it is of queries: its MetricsSpec needs a `query_key`.
        is_single: Whether it has one value for all models, outputs and classes.
        ignores_weights: Whether the rows' weights have no part in it.
        by_tfma: Whether TFMA computes it, on Beam in a process of its own.
        values: For a metric whose values are named after its arguments: gives, of its name and these, each
            value's name and part.
    """

    name: str
    arguments: Mapping[str, str] = field(default_factory=dict)
    required: tuple[str, ...] = ()
    choices: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    features: tuple[str, ...] = ()
    parts: Mapping[str, str] = field(default_factory=dict)
    is_plot: bool = False
    is_structured: bool = False
    is_attribution: bool = False
    binarizes: bool = True
    aggregates: bool = True
    needs_label: bool = True
    compares: bool = False
    ranks: bool = False
    is_single: bool = False
    ignores_weights: bool = False
    by_tfma: bool = False
    values: Callable[[str, Mapping[str, Any]], Iterator[tuple[str, str]]] | None = None

    @property
    def takes_class(self) -> bool:
        """Whether its arguments may restrict it to a class or to the best classes."""
        return "class_id" in self.arguments


_MATRIX_METRICS = """
    TruePositives TP TrueNegatives TN FalsePositives FP FalseNegatives FN BinaryAccuracy Precision PPV
    Recall TPR Specificity TNR FallOut FPR MissRate FNR NegativePredictiveValue NPV FalseDiscoveryRate
    FalseOmissionRate Prevalence PrevalenceThreshold ThreatScore BalancedAccuracy F1Score
    MatthewsCorrelationCoefficient FowlkesMallowsIndex Informedness Markedness PositiveLikelihoodRatio
    NegativeLikelihoodRatio DiagnosticOddsRatio PredictedPositiveRate
"""
_PLAIN_METRICS = """
    MeanAbsoluteError MeanSquaredError MeanAbsolutePercentageError MeanSquaredLogarithmicError
    RootMeanSquaredError MeanLabel Calibration SquaredPearsonCorrelation
    SparseCategoricalAccuracy CategoricalAccuracy Accuracy
    CoefficientOfDiscrimination RelativeCoefficientOfDiscrimination
    Hinge SquaredHinge CategoricalHinge KLDivergence LogCoshError LogCosh Poisson CosineSimilarity
    losses.CosineSimilarity ConcordanceCorrelation PearsonCorrelation
"""
FAIRNESS_RATES = (
    "false_positive_rate",
    "false_negative_rate",
    "true_positive_rate",
    "true_negative_rate",
    "positive_rate",
    "negative_rate",
    "false_discovery_rate",
    "false_omission_rate",
    "precision",
    "recall",
)
FAIRNESS_THRESHOLDS = (0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9)
_CURVE = {"num_thresholds": "int", "thresholds": "numbers", "top_k": "int", "class_id": "int"}
_ENTROPY = {"from_logits": "bool", "label_smoothing": "number"}
_METHODS = ("interpolation", "minoring", "majoring")


def snake_case(name: str) -> str:
    """Return a class name as Keras names its instances: `BinaryAccuracy` is `binary_accuracy`."""
    name = re.sub(r"(.)([A-Z][a-z0-9]+)", r"\1_\2", name)
    return re.sub(r"([a-z])([A-Z])", r"\1_\2", name).lower()


def _only(*names: str) -> dict[str, str]:
    return {name: _CURVE[name] for name in names}


class _Table:
    def __init__(self) -> None:
        self.found: dict[str, MetricDeclaration] = {}

    def declare(
        self, class_name: str, arguments: Mapping[str, str] | None = None, **more: Any
    ) -> None:
        name = more.pop("name", None) or snake_case(class_name.rpartition(".")[2])
        self.found[class_name] = MetricDeclaration(name, arguments or {}, **more)


def _catalog() -> dict[str, MetricDeclaration]:
    table = _Table()
    for class_name in _MATRIX_METRICS.split():
        table.declare(class_name, _CURVE)
    for class_name in _PLAIN_METRICS.split():
        table.declare(class_name)
    for class_name in ("ExampleCount", "WeightedExampleCount"):
        table.declare(class_name, aggregates=False, needs_label=False)
    table.declare("MeanPrediction", needs_label=False)
    _declare_curves(table)
    _declare_entropies(table)
    _declare_keras(table)
    _declare_plots(table)
    _declare_rankings(table)
    _declare_comparisons(table)
    _declare_others(table)
    _declare_left(table)
    return table.found


def _fairness_values(name: str, arguments: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """Yield names such as `fairness_indicators_metrics/false_positive_rate@0.50`."""
    thresholds = arguments.get("thresholds", FAIRNESS_THRESHOLDS)
    thresholds = [thresholds] if isinstance(thresholds, int | float) else thresholds
    digits = max(1, *(len(str(threshold)) - 2 for threshold in thresholds))
    for i, threshold in enumerate(thresholds):
        for rate in FAIRNESS_RATES:
            yield f"{name}/{rate}@{threshold:.{digits}f}", f"{rate}@{i}"


def _declare_curves(table: _Table) -> None:
    table.declare(
        "FairnessIndicators",
        {"thresholds": "numbers"},
        name="fairness_indicators_metrics",
        values=_fairness_values,
    )
    table.declare(
        "ConfusionMatrixAtThresholds", _only("thresholds", "num_thresholds"), is_structured=True
    )
    curves = {"curve": ("ROC", "PR"), "summation_method": _METHODS}
    auc = {**_CURVE, "summation_method": "text", "curve": "text"}
    table.declare("AUC", {**auc, "multi_label": "bool", "from_logits": "bool"}, choices=curves)
    methods = {"summation_method": _METHODS}
    table.declare("AUCPrecisionRecall", {**_CURVE, "summation_method": "text"}, choices=methods)
    for class_name, constraint in (
        ("SensitivityAtSpecificity", "specificity"),
        ("SpecificityAtSensitivity", "sensitivity"),
        ("PrecisionAtRecall", "recall"),
        ("RecallAtPrecision", "precision"),
        ("RecallAtFalsePositiveRate", "false_positive_rate"),
        ("ThresholdAtRecall", "recall"),
    ):
        table.declare(class_name, {constraint: "numbers", **_CURVE}, required=(constraint,))
    table.declare("MaxRecall", _only("top_k", "class_id"))


def _declare_entropies(table: _Table) -> None:
    table.declare("SparseTopKCategoricalAccuracy", {"k": "int"})
    table.declare("TopKCategoricalAccuracy", {"k": "int"})
    table.declare("SparseCategoricalCrossentropy", {"from_logits": "bool"})
    table.declare("CategoricalCrossentropy", _ENTROPY)
    table.declare("BinaryCrossentropy", _ENTROPY)
    table.declare("BinaryCrossEntropy", _ENTROPY, name="binary_crossentropy")
    table.declare("CategoricalCrossEntropy", _ENTROPY, name="categorical_crossentropy")


def _declare_keras(table: _Table) -> None:
    focal = {"alpha": "number", "gamma": "number", **_ENTROPY}
    table.declare("BinaryFocalCrossentropy", {"apply_class_balancing": "bool", **focal})
    table.declare("CategoricalFocalCrossentropy", focal)
    table.declare("CategoricalGeneralizedCrossEntropy", {"q": "number"})
    table.declare("Huber", {"delta": "number"})
    table.declare(
        "R2Score",
        {"class_aggregation": "text", "num_regressors": "int"},
        choices={"class_aggregation": ("uniform_average", "variance_weighted_average")},
    )
    averages = ("micro", "macro", "weighted")
    table.declare(
        "FBetaScore",
        {"average": "text", "beta": "number", "threshold": "number"},
        choices={"average": averages},
    )
    classes = {"num_classes": "int", "ignore_class": "int"}
    sparse = {"sparse_y_true": "bool", "sparse_y_pred": "bool"}
    targets = {"target_class_ids": "ints"}
    table.declare("BinaryIoU", {**targets, "threshold": "number"})
    of_targets = ("num_classes", "target_class_ids")
    table.declare("IoU", {**classes, **sparse, **targets}, required=of_targets)
    table.declare("MeanIoU", {**classes, **sparse}, required=("num_classes",))
    one_hot = {**classes, "sparse_y_pred": "bool"}
    table.declare("OneHotIoU", {**one_hot, **targets}, required=of_targets)
    table.declare("OneHotMeanIoU", one_hot, required=("num_classes",))


def _declare_plots(table: _Table) -> None:
    plot = {"is_plot": True, "is_structured": True}
    whole = {"is_structured": True, "binarizes": False, "aggregates": False}
    table.declare("MultiClassConfusionMatrixAtThresholds", _only("thresholds"), **whole)
    table.declare("ConfusionMatrixPlot", _only("num_thresholds"), **plot)
    table.declare("ScoreDistributionPlot", _only("num_thresholds"), needs_label=False, **plot)
    buckets = {"num_buckets": "int", "left": "number", "right": "number"}
    table.declare("CalibrationPlot", buckets, **plot)
    matrices = _only("thresholds", "num_thresholds")
    table.declare("MultiClassConfusionMatrixPlot", matrices, is_plot=True, **whole)
    table.declare("MultiLabelConfusionMatrixPlot", matrices, is_plot=True, **whole)


def _declare_rankings(table: _Table) -> None:
    query: dict[str, Any] = {"ranks": True, "aggregates": False}
    gains = {"gain_key": "text", "top_k_list": "ints"}
    table.declare(
        "NDCG", gains, required=("gain_key",), features=("gain_key",), needs_label=False, **query
    )
    table.declare(
        "MinLabelPosition",
        {"label_key": "text"},
        features=("label_key",),
        binarizes=False,
        **query,
    )
    names = ("total_queries", "total_documents", "min_documents", "max_documents")
    parts = {f"{name}_name": name for name in names}
    table.declare(
        "QueryStatistics",
        dict.fromkeys(parts, "text"),
        parts=parts,
        binarizes=False,
        needs_label=False,
        **query,
    )


def _declare_comparisons(table: _Table) -> None:
    compared: dict[str, Any] = {"compares": True, "aggregates": False, "needs_label": False}
    kinds = ("neg_to_neg", "neg_to_pos", "pos_to_neg", "pos_to_pos")
    for kind in ("symmetric", *kinds):
        class_name = f"{kind}_flip_rate".title().replace("_", "")
        table.declare(class_name, {"threshold": "number"}, **compared)
    parts = {"flip_rate_name": "flip_rate"}
    parts |= {f"{kind}_flip_rate_name": f"{kind}_flip_rate" for kind in kinds}
    arguments = {"threshold": "number", **dict.fromkeys(parts, "text")}
    table.declare("BooleanFlipRates", arguments, parts=parts, **compared)
    table.declare("SymmetricPredictionDifference", **compared)
    table.declare("ModelCosineSimilarity", ignores_weights=True, **compared)


def _rouge_values(name: str, arguments: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    yield from ((f"{name}/{part}", part) for part in ("precision", "recall", "fmeasure"))


def _declare_others(table: _Table) -> None:
    sets = {
        "thresholds": "numbers",
        "top_k": "int",
        "prediction_class_key": "text",
        "prediction_score_key": "text",
        "class_key": "text",
        "weight_key": "text",
    }
    for class_name in ("SetMatchPrecision", "SetMatchRecall"):
        table.declare(
            class_name,
            sets,
            features=("class_key", "weight_key"),
            binarizes=False,
            aggregates=False,
        )
    for how in ("Total", "TotalAbsolute", "Mean", "MeanAbsolute"):
        table.declare(
            f"{how}Attributions",
            is_attribution=True,
            is_structured=True,
            aggregates=False,
            needs_label=False,
        )
    texts: dict[str, Any] = {"binarizes": False, "aggregates": False}
    table.declare(
        "Rouge",
        {"rouge_type": "text", "use_stemmer": "bool"},
        required=("rouge_type",),
        values=_rouge_values,
        **texts,
    )
    table.declare(
        "Bleu",
        {
            "lowercase": "bool",
            "tokenize": "text",
            "smooth_method": "text",
            "smooth_value": "number",
            "use_effective_order": "bool",
        },
        name="BLEU",
        ignores_weights=True,
        choices={
            "tokenize": ("none", "13a", "intl", "zh", "char"),
            "smooth_method": ("none", "floor", "add-k", "exp"),
        },
        **texts,
    )
    table.declare("ExactMatch", {"convert_to": "text"}, choices={"convert_to": ("json",)})
    table.declare(
        "Mean",
        {"feature_key_path": "texts", "example_weights_key_path": "texts"},
        required=("feature_key_path",),
        binarizes=False,
        aggregates=False,
        needs_label=False,
        is_single=True,
    )


def _declare_left(table: _Table) -> None:
    left: dict[str, Any] = {"by_tfma": True, "aggregates": False, "needs_label": False}
    boxes = ["class_id", "class_weight", "area_range", "max_num_detections", "labels_to_stack"]
    boxes += ["predictions_to_stack", "num_detections_key", "allow_missing_key"]
    counts = ["num_thresholds", "recalls", "num_recalls"]
    detections = {
        "COCOAveragePrecision": ("average_precision", ["iou_threshold", *counts, *boxes]),
        "COCOAverageRecall": ("average_recall", ["iou_thresholds", *boxes]),
        "COCOMeanAveragePrecision": (
            "mean_average_precision",
            ["iou_thresholds", "class_ids", "class_weights", *counts, *boxes[2:]],
        ),
        "COCOMeanAverageRecall": (
            "mean_average_recall",
            ["iou_thresholds", "class_ids", "class_weights", *boxes[2:]],
        ),
        "ObjectDetectionMaxRecall": ("", ["iou_threshold", *boxes]),
        "ObjectDetectionPrecision": ("", ["thresholds", "iou_threshold", *boxes]),
        "ObjectDetectionRecall": ("", ["thresholds", "iou_threshold", *boxes]),
    }
    for class_name in ("ObjectDetectionPrecisionAtRecall", "ObjectDetectionThresholdAtRecall"):
        arguments = ["recall", "thresholds", "num_thresholds", "iou_threshold", *boxes]
        detections[class_name] = ("", arguments)
    for class_name, (name, arguments) in detections.items():
        required = ("recall",) if "recall" in arguments else ()
        kinds = dict.fromkeys(arguments, "any")
        table.declare(class_name, kinds, name=name, required=required, **left)
    table.declare(
        "ObjectDetectionConfusionMatrixPlot",
        dict.fromkeys(["num_thresholds", "iou_threshold", *boxes], "any"),
        name="confusion_matrix_plot",
        is_plot=True,
        is_structured=True,
        **left,
    )
    segments = ("class_ids", "ground_truth_key", "prediction_key")
    decoding = ("decode_ground_truth", "decode_prediction", "ignore_ground_truth_id")
    for kind in ("ConfusionMatrix", "TruePositive", "FalsePositive"):
        name = snake_case(f"SemanticSegmentation{kind}")
        table.declare(
            f"SemanticSegmentation{kind}",
            dict.fromkeys((*segments, *decoding), "any"),
            name=f"_{name}" if kind == "ConfusionMatrix" else f"{name}s",
            required=segments,
            is_structured=kind == "ConfusionMatrix",
            **left,
        )
    sample = {"sampled_key": "text", "size": "int", "random_seed": "int"}
    table.declare(
        "FixedSizeSample",
        sample,
        required=("sampled_key", "size"),
        features=("sampled_key",),
        is_structured=True,
        **left,
    )
    sampler = {"feature_key": "text", "sample_size": "int", "threshold": "number"}
    for kind in ("FalsePositive", "FalseNegative"):
        table.declare(
            f"{kind}FeatureSampler",
            {**sampler, **_only("top_k", "class_id")},
            required=("feature_key", "sample_size"),
            features=("feature_key",),
            is_structured=True,
            **left,
        )


CATALOG: Mapping[str, MetricDeclaration] = _catalog()
"""Each metric by the class name that a `MetricConfig` uses.

`losses.CosineSimilarity` is Keras's loss of that name, which is the negative of its metric.
"""

BASE_CLASSES = (
    "it is a base class of Keras's, which computes nothing of labels and predictions by itself"
)
_BATCH = (
    "its value depends on which rows share a batch, so a slice has no value of its own. Make it row by "
    "row in a function with the decorator penstock.evaluation.row_metric"
)
_COUNTERFACTUAL = (
    "counterfactuals, a second prediction of each row with other features, are not made. Evaluate examples "
    "that you changed, and compare the two evaluations"
)
REFUSED: Mapping[str, str] = {
    "fairness.FlipCount": _COUNTERFACTUAL,
    "fairness.FlipRate": _COUNTERFACTUAL,
    "fairness.Lift": "cross_slicing_specs with MeanPrediction compare slices",
    "keras.metrics.Mean": "it takes values, not labels and predictions. MeanPrediction and MeanLabel are "
    "means of those; TFMA's Mean is of a feature",
    "keras.metrics.Sum": "it takes values, not labels and predictions",
    "keras.metrics.Metric": BASE_CLASSES,
    "keras.metrics.MeanMetricWrapper": BASE_CLASSES,
    "keras.losses.Loss": BASE_CLASSES,
    "keras.losses.CTC": "it needs sequences of class ids and of scores for each row, which one row of "
    "predictions by class is not",
    "keras.losses.Circle": _BATCH,
    "keras.losses.Dice": _BATCH,
    "keras.losses.Tversky": _BATCH,
}
"""Metrics and losses that are refused, and why."""
