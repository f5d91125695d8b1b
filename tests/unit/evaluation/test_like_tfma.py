"""Every metric equals TensorFlow Model Analysis's on rows that are given, edge cases among them.

TFMA runs in a process of its own (`tfma_reference.py`), in a slow test. Its values are kept in
`tests/golden/metrics/tfma.json.gz`, so that the fast tests have them too:

    python tests/unit/evaluation/test_like_tfma.py [CASE ...]    # writes them anew
"""

import gzip
import importlib.util
import json
import os
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pyarrow as pa
import pytest

from penstock.evaluation.accumulation import Accumulation
from penstock.evaluation.checks.config_problems import refuse_problems
from penstock.evaluation.config import as_eval_config
from penstock.evaluation.examples import ExampleBatch
from penstock.evaluation.models.evaluated_model import BatchInputs, EvaluatedModel
from penstock.evaluation.plan import plan_metrics
from penstock.evaluation.resolve import resolve_config
from penstock.evaluation.results import _attributions_message, _metrics_message, _plots_message
from penstock.evaluation.slices.results import slice_results

HERE = Path(__file__).parent
GOLDEN = HERE.parents[1] / "golden" / "metrics" / "tfma.json.gz"

_spec = importlib.util.spec_from_file_location("tfma_reference", HERE / "tfma_reference.py")
tfma_reference = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(tfma_reference)

SLICES = [{}, {"feature_keys": ["kind"]}]


def metric(class_name, module="", **config):
    given = {"class_name": class_name, "config": json.dumps(config) if config else ""}
    return {**given, "module": module} if module else given


def case(rows, *metrics, model=None, **spec):
    """A case: one model with labels and weights, some rows, and metrics."""
    metrics = [metric(each) if isinstance(each, str) else each for each in metrics]
    config = {
        "model_specs": [model or {"label_key": "label"}],
        "slicing_specs": SLICES,
        "metrics_specs": [{"metrics": metrics, **spec}],
    }
    return {"config": config, "rows": rows}


WEIGHTED = {"label_key": "label", "example_weight_key": "weight"}
BASELINE = [
    {"name": "candidate", **WEIGHTED},
    {"name": "baseline", "is_baseline": True, **WEIGHTED},
]


def rows(count=40, seed=1, label="binary", prediction="score", weights=None, **features):
    """Rows of the slice feature `kind`, a label, a prediction and perhaps a weight."""
    random = np.random.default_rng(seed)
    found = []
    for i in range(count):
        class_id = int(random.integers(0, 3))
        scores = np.float32(random.dirichlet(np.ones(3))).tolist()
        labels = {
            "binary": [int(random.integers(0, 2))],
            "one": [1],
            "class": [class_id],
            "one-hot": np.eye(3)[class_id].tolist(),
            "multi": random.integers(0, 2, 3).tolist(),
            "number": [float(np.float32(random.normal(1, 1)))],
            "text": [f"c{class_id}"],
            "fraction": [float(np.float32(random.random()))],
        }
        predictions = {
            "score": [float(np.float32(random.random()))],
            "scores": scores,
            "number": [float(np.float32(random.normal(1, 1)))],
            "logits": np.float32(random.normal(0, 2, 3)).tolist(),
            "text": [f"c{int(random.integers(0, 3))}"],
        }
        row = {
            "features": {"kind": [f"k{i % 3}"], **{n: f(random, i) for n, f in features.items()}},
            "label": labels[label],
            "prediction": predictions[prediction],
        }
        if weights is not None:
            row["weight"] = [weights(random, i)]
        found.append(row)
    return found


def whole(random, i):
    return float(random.integers(0, 4))


def two_models(**more):
    first, second = rows(seed=3, **more), rows(seed=4, **more)
    for one, other in zip(first, second, strict=True):
        one["prediction"] = {"candidate": one["prediction"], "baseline": other["prediction"]}
    return first


def ranked(count=30, seed=5, weights=False):
    """Rows of queries of one to seven documents, which come mixed."""
    random = np.random.default_rng(seed)
    found = []
    for _ in range(count):
        query = int(random.integers(0, 8))
        row = {
            "features": {
                "kind": [f"k{query % 3}"],
                "query": [f"q{query}"],
                "gain": [float(random.integers(0, 4)) if query else 0.0],
            },
            "label": [int(random.random() < 0.3)],
            "prediction": [float(np.float32(random.random()))],
        }
        if weights:
            row["weight"] = [float(query % 3)]
        found.append(row)
    return found


def sets(count=20, seed=6, weighted=False):
    """Rows of sets of classes."""
    random = np.random.default_rng(seed)
    names = [f"c{i}" for i in range(6)]
    found = []
    for i in range(count):
        label = random.choice(names, random.integers(1, 4), replace=False).tolist()
        classes = random.choice(names, 4, replace=False).tolist()
        scores = np.sort(np.float32(random.random(4)))[::-1].tolist()
        row = {
            "features": {
                "kind": [f"k{i % 3}"],
                "names": names[:3],
                "factors": [1.0, 2.0, float(i % 3)],
            },
            "label": label,
            "prediction": {"classes": classes, "scores": scores},
        }
        if weighted:
            row["weight"] = [float(random.integers(1, 4))]
        found.append(row)
    return found


def attributed(count=20, seed=7, width=1, **more):
    """Rows with attributions of two features."""
    random = np.random.default_rng(seed)
    found = rows(count, seed, **more)
    for row in found:
        row["attributions"] = {
            name: np.float32(random.normal(size=width)).tolist() for name in ("age", "fare")
        }
    return found


_MATRIX = """
    TruePositives TrueNegatives FalsePositives FalseNegatives BinaryAccuracy Precision Recall Specificity
    FallOut MissRate NegativePredictiveValue FalseDiscoveryRate FalseOmissionRate Prevalence
    PrevalenceThreshold ThreatScore BalancedAccuracy F1Score MatthewsCorrelationCoefficient
    FowlkesMallowsIndex Informedness Markedness PositiveLikelihoodRatio NegativeLikelihoodRatio
    DiagnosticOddsRatio PredictedPositiveRate MaxRecall
"""
MATRIX = _MATRIX.split()
# Those of which TFMA divides by zero where classes are few.
SAFE = [name for name in MATRIX if name != "PrevalenceThreshold"]
AT = [
    metric("PrecisionAtRecall", recall=0.7),
    metric("RecallAtPrecision", precision=0.7),
    metric("SensitivityAtSpecificity", specificity=0.7),
    metric("SpecificityAtSensitivity", sensitivity=0.7),
    metric("RecallAtFalsePositiveRate", false_positive_rate=0.2),
    metric("ThresholdAtRecall", recall=0.6),
    metric("ThresholdAtRecall", recall=[0.2, 0.9], name="two"),
]
OF_QUERIES = [
    "AUC",
    "AUCPrecisionRecall",
    "BinaryAccuracy",
    "Recall",
    "MeanLabel",
    "MeanPrediction",
]
OF_QUERIES += ["MeanSquaredError", "Calibration", "CalibrationPlot"]
OF_LABELS = ["MeanLabel", "MeanPrediction", "Calibration", "CoefficientOfDiscrimination"]
BINARY = [*MATRIX, *AT, *OF_LABELS, "RelativeCoefficientOfDiscrimination", "AUC", "ExampleCount"]
BINARY += ["AUCPrecisionRecall", "BinaryCrossentropy", "Hinge", "LogCoshError"]
UNCLIPPED = metric("BinaryCrossEntropy", name="unclipped")
_REGRESSION = """
    MeanAbsoluteError MeanSquaredError MeanAbsolutePercentageError MeanSquaredLogarithmicError
    RootMeanSquaredError MeanLabel MeanPrediction Calibration SquaredPearsonCorrelation Hinge SquaredHinge
    LogCoshError CosineSimilarity
"""
REGRESSION = _REGRESSION.split()
PLOTS = [
    metric("ConfusionMatrixPlot", num_thresholds=4),
    metric("CalibrationPlot", num_buckets=4),
    metric("ScoreDistributionPlot", num_thresholds=4),
    metric("ConfusionMatrixAtThresholds", thresholds=[0.2, 0.5]),
]
CLASSES = [
    "SparseCategoricalAccuracy",
    "SparseCategoricalCrossentropy",
    metric("SparseTopKCategoricalAccuracy", k=2),
    metric("MultiClassConfusionMatrixPlot", num_thresholds=3),
    metric("MultiLabelConfusionMatrixPlot", thresholds=[0.3, 0.6]),
]
ONE_HOT = [
    "CategoricalAccuracy",
    "CategoricalCrossentropy",
    metric("CategoricalCrossEntropy", name="unclipped"),
    "CategoricalHinge",
    "KLDivergence",
    "Poisson",
    "CosineSimilarity",
    metric("TopKCategoricalAccuracy", k=2),
    metric("MultiLabelConfusionMatrixPlot", num_thresholds=3),
]
RANKING = [
    "ExampleCount",
    "QueryStatistics",
    "MinLabelPosition",
    metric("MinLabelPosition", label_key="gain", name="by_gain"),
    metric("NDCG", gain_key="gain", top_k_list=[1, 2, 5]),
]
ATTRIBUTIONS = [f"{how}Attributions" for how in ("Mean", "MeanAbsolute", "Total", "TotalAbsolute")]
FLIPS = [
    metric("SymmetricFlipRate", threshold=0.3),
    "NegToNegFlipRate",
    "NegToPosFlipRate",
    "PosToNegFlipRate",
    "PosToPosFlipRate",
    "SymmetricPredictionDifference",
]
OF_FEATURES = [
    metric("Mean", feature_key_path=["features", "size"]),
    metric(
        "Mean",
        feature_key_path=["features", "size"],
        example_weights_key_path=["example_weights"],
        name="weighted_size",
    ),
]
CLASS_IDS = {"class_ids": {"values": [0, 2]}}
MICRO = {"micro_average": True}
CLASS_WEIGHTS = {"class_weights": {0: 1.0, 1: 2.0, 2: 0.5}}


def sliced(rows_, spec, *metrics):
    made = case(rows_, *metrics)
    made["config"]["slicing_specs"] = [{}, spec]
    return made


def with_nan(rows_):
    """Return rows with predictions that are no numbers in every fifth."""
    for row in rows_[::5]:
        row["prediction"] = [float("nan")]
    return rows_


def compared(rows_, *metrics, **spec):
    made = case(rows_, *metrics, **spec)
    made["config"]["model_specs"] = BASELINE
    made["config"]["metrics_specs"][0].setdefault("model_names", ["candidate", "baseline"])
    return made


CASES = {
    "binary": case(rows(), *BINARY, UNCLIPPED, *PLOTS),
    "binary, weighted": case(rows(weights=whole), *BINARY, UNCLIPPED, *PLOTS, model=WEIGHTED),
    "binary, zero weights": case(
        rows(weights=lambda random, i: 0.0),
        *BINARY,
        model=WEIGHTED,
    ),
    "binary, one class only": case(rows(label="one"), *BINARY, *PLOTS),
    "binary, one row": case(rows(count=1), *BINARY, *PLOTS),
    "binary, both weightings": case(
        rows(weights=whole),
        "AUC",
        "Recall",
        "ExampleCount",
        model=WEIGHTED,
        example_weights={"weighted": True, "unweighted": True},
    ),
    "fractional labels": case(rows(label="fraction"), *MATRIX, "AUC", "MeanLabel", *PLOTS),
    "regression": case(rows(label="number", prediction="number"), *REGRESSION),
    "regression, weighted": case(
        rows(label="number", prediction="number", weights=whole), *REGRESSION, model=WEIGHTED
    ),
    "regression, one row": case(rows(1, label="number", prediction="number"), *REGRESSION),
    "class ids": case(rows(label="class", prediction="scores"), *CLASSES),
    "class matrices": case(
        rows(label="class", prediction="scores", weights=whole),
        metric("MultiClassConfusionMatrixAtThresholds", thresholds=[0.2, 0.4, 0.6]),
        model=WEIGHTED,
    ),
    "class ids, weighted": case(
        rows(label="class", prediction="scores", weights=whole), *CLASSES, model=WEIGHTED
    ),
    "one-hot": case(rows(label="one-hot", prediction="scores"), *ONE_HOT),
    "one-hot, weighted": case(
        rows(label="one-hot", prediction="scores", weights=whole), *ONE_HOT, model=WEIGHTED
    ),
    "logits": case(
        rows(label="one-hot", prediction="logits"),
        metric("CategoricalCrossentropy", from_logits=True, label_smoothing=0.1),
        metric("CategoricalCrossEntropy", from_logits=True, label_smoothing=0.1, name="own"),
        metric("BinaryCrossentropy", from_logits=True, label_smoothing=0.1),
        metric("BinaryCrossEntropy", from_logits=True, label_smoothing=0.1, name="own_binary"),
    ),
    "multi-label": case(
        rows(label="multi", prediction="scores"),
        metric("MultiLabelConfusionMatrixPlot", thresholds=[0.3, 0.6]),
        "BinaryCrossentropy",
    ),
    "binarized": case(
        rows(label="class", prediction="scores"),
        *MATRIX,
        *AT,
        *OF_LABELS[:3],
        "AUC",
        "BinaryCrossentropy",
        "Hinge",
        *PLOTS,
        binarize=CLASS_IDS,
    ),
    "ranks": case(
        rows(label="class", prediction="scores"),
        *SAFE,
        binarize={"k_list": {"values": [1, 2]}, "top_k_list": {"values": [2]}},
    ),
    "micro average": case(
        rows(label="one-hot", prediction="scores", weights=whole),
        *SAFE,
        "AUC",
        "BinaryCrossentropy",
        "Poisson",
        "LogCoshError",
        aggregate=MICRO,
        model=WEIGHTED,
    ),
    "micro average, class weights": case(
        rows(label="class", prediction="scores"),
        *MATRIX,
        "AUC",
        "BinaryCrossentropy",
        aggregate={**MICRO, **CLASS_WEIGHTS},
    ),
    "micro average of the best": case(
        rows(label="class", prediction="scores"),
        *MATRIX[:6],
        aggregate={**MICRO, "top_k_list": {"values": [1, 2]}},
    ),
    "macro average": case(
        rows(label="class", prediction="scores", weights=whole),
        *[name for name in SAFE if name != "MaxRecall"],
        "AUC",
        "BinaryCrossentropy",
        aggregate={"macro_average": True, **CLASS_WEIGHTS},
        model=WEIGHTED,
    ),
    "macro average of the best": case(
        rows(label="class", prediction="scores"),
        *MATRIX[:6],
        aggregate={"macro_average": True, "top_k_list": {"values": [2]}},
    ),
    "weighted macro average": case(
        rows(label="class", prediction="scores"),
        *MATRIX[:10],
        "AUC",
        aggregate={"weighted_macro_average": True, **CLASS_WEIGHTS},
    ),
    "empty slice": sliced(rows(), {"feature_values": {"kind": "k9"}}, *MATRIX, "AUC"),
    "predictions that are no numbers": case(
        with_nan(rows()), *SAFE, "MeanPrediction", "MeanLabel", "Calibration"
    ),
    "negative and zero weights": case(
        rows(weights=lambda random, i: float(random.integers(-1, 3))),
        *SAFE[:8],
        "AUC",
        "MeanLabel",
        "ExampleCount",
        model=WEIGHTED,
    ),
    "classes of the metrics' own": case(
        rows(label="class", prediction="scores"),
        metric("Precision", class_id=1),
        metric("Recall", top_k=2),
        metric("AUC", class_id=0, curve="PR", num_thresholds=50),
        metric("Precision", thresholds=[0.2, 0.5], class_id=2, name="two"),
    ),
    "classes and their average": case(
        rows(label="class", prediction="scores"),
        *SAFE[:8],
        "AUC",
        binarize=CLASS_IDS,
        aggregate=MICRO,
    ),
    "thresholds and curves": case(
        rows(),
        metric("Recall", thresholds=[0.1, 0.5, 0.9]),
        metric("Precision", num_thresholds=5, name="of_histogram"),
        metric("AUC", num_thresholds=11, summation_method="minoring", name="minor"),
        metric("AUC", curve="PR", summation_method="majoring", name="major"),
        metric("AUC", thresholds=[0.0, 0.3, 1.0], name="given"),
    ),
    "ranking": case(ranked(), *RANKING, query_key="query"),
    "ranking, weighted": case(ranked(weights=True), *RANKING, query_key="query", model=WEIGHTED),
    "ranking, one row": case(ranked(1), *RANKING, query_key="query"),
    "ranking, best by binarize": case(
        ranked(),
        metric("NDCG", gain_key="gain", top_k_list=[1]),
        query_key="query",
        binarize={"top_k_list": {"values": [3]}},
    ),
    "rows of queries": case(ranked(), *OF_QUERIES, query_key="query"),
    "rows of queries, weighted": case(
        ranked(weights=True), *OF_QUERIES, query_key="query", model=WEIGHTED
    ),
    "sets": case(
        sets(),
        "SetMatchPrecision",
        "SetMatchRecall",
        metric("SetMatchPrecision", top_k=2, name="p2"),
        metric("SetMatchRecall", top_k=2, name="r2"),
        metric("SetMatchRecall", thresholds=[0.2, 0.8], name="several"),
        metric("SetMatchPrecision", class_key="names", weight_key="factors", name="by_class"),
    ),
    "sets, weighted": case(
        sets(weighted=True), "SetMatchPrecision", "SetMatchRecall", model=WEIGHTED
    ),
    "attributions": case(attributed(weights=whole), *ATTRIBUTIONS, model=WEIGHTED),
    "attributions, unweighted": case(attributed(), *ATTRIBUTIONS),
    "attributions by class": case(
        attributed(width=3, label="class", prediction="scores"), *ATTRIBUTIONS, binarize=CLASS_IDS
    ),
    "attributions of ranks": case(
        attributed(width=3, label="class", prediction="scores"),
        *ATTRIBUTIONS,
        binarize={"k_list": {"values": [1, 2]}, "top_k_list": {"values": [2]}},
    ),
    "flips": compared(two_models(weights=whole), *FLIPS),
    "all flips": compared(two_models(weights=whole), "BooleanFlipRates"),
    "similarity": compared(
        two_models(label="class", prediction="scores", weights=whole),
        "ModelCosineSimilarity",
        example_weights={"unweighted": True},
    ),
    "flips of several scores": compared(
        two_models(label="class", prediction="scores", weights=whole),
        *FLIPS[:-1],
    ),
    "difference to a baseline": compared(two_models(weights=whole), "AUC", "Recall", "MeanLabel"),
    "texts": case(rows(label="text", prediction="text"), "ExactMatch"),
    "texts, weighted": case(
        rows(label="text", prediction="text", weights=whole), "ExactMatch", model=WEIGHTED
    ),
    "features": case(
        rows(weights=whole, size=lambda random, i: [float(np.float32(random.normal()))]),
        *OF_FEATURES,
        model=WEIGHTED,
        example_weights={"unweighted": True},
    ),
}


class GivenModel(EvaluatedModel):
    """A model whose predictions are given with the rows."""

    def __init__(self, spec):
        self.spec, self.model, self._class_names = spec, SimpleNamespace(path=""), {}

    def with_features(self, batch, wanted):
        return batch


def ours(case, batch_size=7):
    """Return our values of a case as `tfma_reference` returns TFMA's."""
    requested = as_eval_config(case["config"])
    refuse_problems(requested)
    has_baseline = any(spec.is_baseline for spec in requested.model_specs)
    config = resolve_config(requested, has_baseline=has_baseline)
    metrics = plan_metrics(config)
    models = [GivenModel(spec) for spec in config.model_specs]
    total = Accumulation(metrics, config.slicing_specs)
    for start in range(0, len(case["rows"]), batch_size):
        part = case["rows"][start : start + batch_size]
        batch = ExampleBatch([b""] * len(part), columns(part), start)
        outputs = {m.spec.name: outputs_of(part, m.spec.name) for m in models}
        total.add(BatchInputs(models, batch, outputs), batch.columns)
    slices, _ = slice_results(config, total.slicer.keys, total, metrics)
    read = tfma_reference.canonical
    return {
        "metrics": read(map(_metrics_message, slices), "metric_keys_and_values"),
        "plots": read(map(_plots_message, slices), "plot_keys_and_values"),
        "attributions": read(
            map(_attributions_message, slices), "attributions_keys_and_values", "values"
        ),
    }


def columns(part):
    """Return rows as a batch of features, labels and weights among them."""
    found = {name: [row["features"][name] for row in part] for name in part[0]["features"]}
    for name in ("label", "weight"):
        if name in part[0]:
            found[name] = [row[name] for row in part]
    arrays = []
    for values in found.values():
        first = next((each[0] for each in values if len(each)), 0)
        kind = {str: pa.binary(), int: pa.int64(), float: pa.float32()}[type(first)]
        arrays.append(pa.array(values, pa.large_list(kind)))
    return pa.RecordBatch.from_arrays(arrays, list(found))


def outputs_of(part, model_name):
    """Return a model's outputs of rows by name."""
    given = [row["prediction"] for row in part]
    if model_name:
        given = [each[model_name] for each in given]
    found = {}
    if isinstance(given[0], dict):
        for name in given[0]:
            found[name] = array([each[name] for each in given])
    else:
        found["predictions"] = array(given)
    for name in part[0].get("attributions", ()):
        found[f"attributions/{name}"] = array([row["attributions"][name] for row in part])
    return found


def array(values):
    if isinstance(values[0][0], str):
        return np.array([[each.encode() for each in row] for row in values], dtype=object)
    return np.array(values, dtype=np.float32)


def tfmas(cases):
    """Return TFMA's values of cases, from a process of its own."""
    done = subprocess.run(
        [sys.executable, str(HERE / "tfma_reference.py")],
        input=json.dumps(cases),
        capture_output=True,
        text=True,
        env={"PATH": os.environ.get("PATH", ""), "TF_CPP_MIN_LOG_LEVEL": "3"},
    )
    assert done.returncode == 0, done.stderr[-3000:]
    return json.loads(done.stdout)


def differences(mine, theirs):
    """Return where two results differ, in words."""
    found = []
    for kind in ("metrics", "plots", "attributions"):
        one, other = mine[kind], theirs[kind]
        # A file of slices without plots has no entries.
        for slice_key in sorted({*one, *other}):
            a, b = (
                one.get(slice_key, {}),
                as_named_here(other.get(slice_key, {}), one.get(slice_key, {})),
            )
            for key in sorted({*a, *b}):
                if key not in a or key not in b:
                    found.append(f"{slice_key} {key}: only {'TFMA' if key not in a else 'here'}")
                elif not same(a[key], b[key]):
                    found.append(f"{slice_key} {key}: {a[key]} here, {b[key]} by TFMA")
    return found


def as_named_here(theirs, mine):
    """Return TFMA's values by the keys that they should have.

    TFMA calls a weighted macro average a macro average, and leaves the kind of average out of the keys of
    Keras's metrics. It keeps the count that it divides attributions by.
    """
    found = {}
    for name, value in theirs.items():
        key = json.loads(name)
        kinds = ("weightedMacroAverage", "microAverage", "macroAverage")
        likely = (
            json.dumps({**key, "aggregationType": {kind: True}}, sort_keys=True) for kind in kinds
        )
        name = name if name in mine else next((each for each in likely if each in mine), name)
        if name in mine or key["name"] != "example_count":
            found[name] = value
    return found


def same(one, other):
    if isinstance(one, dict):
        return set(one) == set(other) and all(same(one[key], other[key]) for key in one)
    numbers = [[v for v in values if isinstance(v, float)] for values in (one, other)]
    if len(numbers[0]) != len(numbers[1]):
        return False
    return np.allclose(*numbers, rtol=1e-6, atol=1e-6, equal_nan=True)


def rounded(value):
    """Return what is kept in the golden file: nine digits are more than is compared."""
    if isinstance(value, dict):
        return {key: rounded(each) for key, each in value.items()}
    if isinstance(value, list):
        return [rounded(each) for each in value]
    return float(f"{value:.9g}") if isinstance(value, float) else value


@pytest.mark.parametrize("name", CASES)
def test_each_value_equals_what_tfma_computed(name):
    golden = json.loads(gzip.decompress(GOLDEN.read_bytes()))
    assert differences(ours(CASES[name]), golden[name]) == []


@pytest.mark.slow
@pytest.mark.processes
@pytest.mark.skipif(
    importlib.util.find_spec("tensorflow_model_analysis") is None, reason="TFMA is not installed"
)
def test_each_value_equals_tfmas():
    found = tfmas(CASES)
    assert {name: differences(ours(case), found[name]) for name, case in CASES.items()} == {
        name: [] for name in CASES
    }


if __name__ == "__main__":
    chosen = sys.argv[1:] or list(CASES)
    kept = {} if len(chosen) == len(CASES) else json.loads(gzip.decompress(GOLDEN.read_bytes()))
    kept |= rounded(tfmas({name: CASES[name] for name in chosen}))
    values = json.dumps(kept, sort_keys=True)
    GOLDEN.parent.mkdir(exist_ok=True)
    GOLDEN.write_bytes(gzip.compress(values.encode(), mtime=0))
