"""Each field of an EvalConfig that is said to have an effect has one, in a real evaluation."""

import os

import pytest

from penstock.evaluation import evaluate, row_work, write_evaluation
from penstock.evaluation.checks.config_problems import COMPUTED

pytestmark = pytest.mark.tensorflow

BINARY = {"label_key": "positive", "prediction_key": "positive"}
CLASSES = {"label_key": "label", "prediction_key": "probabilities"}
LOWER = {"value_threshold": {"lower_bound": 0.5}}


def config(metric=None, spec=None, model=None, base=BINARY, **more):
    metrics = [{"class_name": "Recall", **(metric or {})}]
    return {
        "model_specs": [{**base, **(model or {})}],
        "metrics_specs": [{"metrics": metrics, **(spec or {})}],
        **more,
    }


def by_class(**spec):
    return config(base=CLASSES, spec=spec)


def bound(**value_threshold):
    return config({"threshold": {"value_threshold": {"lower_bound": 0.1, **value_threshold}}})


def change(**change_threshold):
    given = {"absolute": 0.1, "direction": "HIGHER_IS_BETTER", **change_threshold}
    return config({"threshold": {"change_threshold": given}})


def per_slice(key="size", lower=0.5):
    specs = [{"feature_keys": [key]}]
    entry = {"slicing_specs": specs, "threshold": {"value_threshold": {"lower_bound": lower}}}
    return config({"per_slice_thresholds": [entry]}, slicing_specs=[{}, {"feature_keys": ["size"]}])


def cross(baseline="1", compared="kind", lower=None, by_name=False, threshold_on=None):
    spec = {"baseline_spec": {}, "slicing_specs": [{"feature_keys": [compared]}]}
    if baseline == "kind":
        spec["baseline_spec"] = {"feature_keys": ["kind"]}
    more = {
        "slicing_specs": [{}, {"feature_keys": ["kind"]}, {"feature_keys": ["size"]}],
        "cross_slicing_specs": [spec],
    }
    if lower is None:
        return config(**more)
    on = {"baseline_spec": {}, "slicing_specs": [{"feature_keys": [threshold_on or compared]}]}
    threshold = {"value_threshold": {"lower_bound": lower}}
    entry = {"cross_slicing_specs": [on], "threshold": threshold}
    if by_name:
        named = {"recall": {"thresholds": [entry]}}
        return config(spec={"cross_slice_thresholds": named}, **more)
    return config({"cross_slice_thresholds": [entry]}, **more)


def intervals(method):
    options = {"compute_confidence_intervals": True, "confidence_intervals": {"method": method}}
    return config(options=options)


def named_per_slice(lower):
    threshold = {"value_threshold": {"lower_bound": lower}}
    entry = {"slicing_specs": [{}], "threshold": threshold}
    return config(spec={"per_slice_thresholds": {"recall": {"thresholds": [entry]}}})


def models(baseline: bool, **metrics_spec):
    second = {"name": "b", **BINARY, "is_baseline": baseline}
    given = config(spec=metrics_spec)
    return {**given, "model_specs": [{"name": "a", **BINARY}, second]}


OUTPUTS = {"label_keys": {"positive": "positive", "value": "positive"}}
COUNT = {"class_name": "ExampleCount"}
PAIRS = {
    "EvalConfig.model_specs": (config(), config(base={**BINARY, "label_key": "size"})),
    "EvalConfig.slicing_specs": (config(), config(slicing_specs=[{"feature_keys": ["kind"]}])),
    "EvalConfig.metrics_specs": (config(), config({"class_name": "Precision"})),
    "EvalConfig.options": (config(), config(options={"compute_confidence_intervals": True})),
    "ModelSpec.name": (models(True), models(True, model_names=["a"])),
    "ModelSpec.model_type": (config(), config(model={"model_type": "tf_js"})),
    "ModelSpec.signature_name": (config(), config(model={"signature_name": "transform_features"})),
    "ModelSpec.preprocessing_function_names": (
        config(),
        config(model={"preprocessing_function_names": ["no_such_signature"]}),
    ),
    "ModelSpec.label_key": (config(), config(model={"label_key": "size"})),
    "ModelSpec.label_keys": (
        config(COUNT, base={}, spec={"output_names": ["positive"]}),
        config(base=OUTPUTS, spec={"output_names": ["positive"]}),
    ),
    "ModelSpec.prediction_key": (config(), config(model={"prediction_key": "value"})),
    "ModelSpec.prediction_keys": (
        config(base=OUTPUTS, spec={"output_names": ["positive"]}),
        config(
            base={**OUTPUTS, "prediction_keys": {"positive": "value"}},
            spec={"output_names": ["positive"]},
        ),
    ),
    "ModelSpec.example_weight_key": (config(), config(model={"example_weight_key": "weight"})),
    "ModelSpec.example_weight_keys": (
        config(base=OUTPUTS, spec={"output_names": ["positive"]}),
        config(
            base={**OUTPUTS, "example_weight_keys": {"positive": "weight"}},
            spec={"output_names": ["positive"]},
        ),
    ),
    "ModelSpec.is_baseline": (models(False), models(True)),
    "ModelSpec.inference_batch_size": (config(), config(model={"inference_batch_size": 7})),
    "SlicingSpec.feature_keys": (
        config(slicing_specs=[{"feature_keys": ["size"]}]),
        config(slicing_specs=[{"feature_keys": ["kind"]}]),
    ),
    "SlicingSpec.feature_values": (
        config(slicing_specs=[{"feature_values": {"size": "1"}}]),
        config(slicing_specs=[{"feature_values": {"size": "2"}}]),
    ),
    "MetricsSpec.metrics": (config(), config({"class_name": "Precision"})),
    "MetricsSpec.model_names": (models(True), models(True, model_names=["a"])),
    "MetricsSpec.output_names": (
        config(base=OUTPUTS, spec={"output_names": ["positive"]}),
        config(base=OUTPUTS, spec={"output_names": ["value"]}),
    ),
    "MetricsSpec.output_weights": (
        config(base=OUTPUTS, spec={"output_names": ["positive", "value"]}),
        config(
            base=OUTPUTS,
            spec={"output_names": ["positive", "value"], "output_weights": {"positive": 1.0}},
        ),
    ),
    "MetricsSpec.query_key": (config(COUNT), config(COUNT, spec={"query_key": "size"})),
    "MetricsSpec.binarize": (
        by_class(binarize={"class_ids": {"values": [0]}}),
        by_class(binarize={"class_ids": {"values": [1]}}),
    ),
    "MetricsSpec.aggregate": (
        by_class(binarize={"class_ids": {"values": [0]}}),
        by_class(aggregate={"micro_average": True}),
    ),
    "MetricsSpec.example_weights": (
        config(model={"example_weight_key": "weight"}),
        config(
            model={"example_weight_key": "weight"}, spec={"example_weights": {"unweighted": True}}
        ),
    ),
    "MetricsSpec.thresholds": (config(), config(spec={"thresholds": {"recall": LOWER}})),
    "MetricsSpec.per_slice_thresholds": (config(), named_per_slice(0.5)),
    "MetricConfig.class_name": (config(), config({"class_name": "Precision"})),
    "MetricConfig.module": (config(), config({"module": "no_such_module"})),
    "MetricConfig.config": (config(), config({"config": '"thresholds": 0.9'})),
    "MetricConfig.threshold": (config(), config({"threshold": LOWER})),
    "MetricConfig.per_slice_thresholds": (
        config(slicing_specs=[{}, {"feature_keys": ["size"]}]),
        per_slice(),
    ),
    "BinarizationOptions.class_ids": (
        by_class(binarize={"class_ids": {"values": [0]}}),
        by_class(binarize={"class_ids": {"values": [0, 1]}}),
    ),
    "BinarizationOptions.k_list": (
        by_class(binarize={"k_list": {"values": [1]}}),
        by_class(binarize={"k_list": {"values": [2]}}),
    ),
    "BinarizationOptions.top_k_list": (
        by_class(binarize={"top_k_list": {"values": [1]}}),
        by_class(binarize={"top_k_list": {"values": [2]}}),
    ),
    "AggregationOptions.micro_average": (
        by_class(aggregate={"macro_average": True, "class_weights": {0: 1, 1: 1}}),
        by_class(aggregate={"micro_average": True, "class_weights": {0: 1, 1: 1}}),
    ),
    "AggregationOptions.macro_average": (
        by_class(aggregate={"weighted_macro_average": True, "class_weights": {0: 1, 1: 1}}),
        by_class(aggregate={"macro_average": True, "class_weights": {0: 1, 1: 1}}),
    ),
    "AggregationOptions.weighted_macro_average": (
        by_class(aggregate={"micro_average": True, "class_weights": {0: 1, 1: 1}}),
        by_class(aggregate={"weighted_macro_average": True, "class_weights": {0: 1, 1: 1}}),
    ),
    "AggregationOptions.class_weights": (
        by_class(aggregate={"macro_average": True, "class_weights": {0: 1, 1: 1}}),
        by_class(aggregate={"macro_average": True, "class_weights": {0: 1, 1: 5}}),
    ),
    "AggregationOptions.top_k_list": (
        by_class(aggregate={"micro_average": True}),
        by_class(aggregate={"micro_average": True, "top_k_list": {"values": [2]}}),
    ),
    "ExampleWeightOptions.weighted": (
        config(
            model={"example_weight_key": "weight"}, spec={"example_weights": {"unweighted": True}}
        ),
        config(
            model={"example_weight_key": "weight"},
            spec={"example_weights": {"unweighted": True, "weighted": True}},
        ),
    ),
    "ExampleWeightOptions.unweighted": (
        config(
            model={"example_weight_key": "weight"}, spec={"example_weights": {"weighted": True}}
        ),
        config(
            model={"example_weight_key": "weight"}, spec={"example_weights": {"unweighted": True}}
        ),
    ),
    "MetricThreshold.value_threshold": (config(), config({"threshold": LOWER})),
    "MetricThreshold.change_threshold": (config(), change()),
    "GenericValueThreshold.lower_bound": (bound(), bound(lower_bound=0.99)),
    "GenericValueThreshold.upper_bound": (bound(), bound(upper_bound=0.2)),
    "GenericChangeThreshold.absolute": (change(), change(absolute=-1.0)),
    "GenericChangeThreshold.relative": (change(), change(relative=9.0)),
    "GenericChangeThreshold.direction": (change(), change(direction="LOWER_IS_BETTER")),
    "PerSliceMetricThreshold.slicing_specs": (per_slice(), per_slice("kind")),
    "PerSliceMetricThreshold.threshold": (per_slice(), per_slice(lower=0.99)),
    "PerSliceMetricThresholds.thresholds": (named_per_slice(0.1), named_per_slice(0.99)),
    "EvalConfig.cross_slicing_specs": (
        config(slicing_specs=cross()["slicing_specs"]),
        cross(),
    ),
    "CrossSlicingSpec.baseline_spec": (cross(), cross(baseline="kind")),
    "CrossSlicingSpec.slicing_specs": (cross(), cross(compared="size")),
    "MetricConfig.cross_slice_thresholds": (cross(), cross(lower=-1)),
    "MetricsSpec.cross_slice_thresholds": (cross(), cross(lower=-1, by_name=True)),
    "CrossSliceMetricThreshold.cross_slicing_specs": (
        cross(lower=-1),
        cross(lower=-1, threshold_on="size"),
    ),
    "CrossSliceMetricThreshold.threshold": (cross(lower=-1), cross(lower=1)),
    "CrossSliceMetricThresholds.thresholds": (
        cross(lower=-1, by_name=True),
        cross(lower=1, by_name=True),
    ),
    "Options.include_default_metrics": (
        config(),
        config(options={"include_default_metrics": True}),
    ),
    "Options.compute_confidence_intervals": (
        config(),
        config(options={"compute_confidence_intervals": True}),
    ),
    "Options.confidence_intervals": (intervals("JACKKNIFE"), intervals("POISSON_BOOTSTRAP")),
    "ConfidenceIntervalOptions.method": (intervals("JACKKNIFE"), intervals("POISSON_BOOTSTRAP")),
    "Options.min_slice_size": (
        config(slicing_specs=[{"feature_keys": ["kind"]}]),
        config(slicing_specs=[{"feature_keys": ["kind"]}], options={"min_slice_size": 500}),
    ),
    "Options.disabled_outputs": (
        config(),
        config(options={"disabled_outputs": {"values": ["plots"]}}),
    ),
    "RepeatedInt32Value.values": (
        by_class(binarize={"k_list": {"values": [1]}}),
        by_class(binarize={"k_list": {"values": [1, 2]}}),
    ),
    "RepeatedStringValue.values": (
        config(options={"disabled_outputs": {"values": ["plots"]}}),
        config(options={"disabled_outputs": {"values": ["attributions"]}}),
    ),
}


def test_every_field_that_is_said_to_count_is_tried():
    assert set(PAIRS) == {f"{name}.{field}" for name, known in COMPUTED.items() for field in known}


@pytest.fixture
def outcome(files, model, worse_model, tmp_path, monkeypatch):
    """All that an evaluation gives, or why there was none."""
    sizes = []
    read = row_work.read_blocks

    def counted(*args, batch_size, **more):
        sizes.append(batch_size)
        return read(*args, batch_size=batch_size, **more)

    monkeypatch.setattr(row_work, "read_blocks", counted)

    def run(given: dict, name: str):
        several = "baseline" in str(given) and any(
            s.get("is_baseline") for s in given["model_specs"]
        )
        needs_baseline = several or "change_threshold" in str(given)
        try:
            found = evaluate(
                files,
                model=model,
                baseline=worse_model if needs_baseline else None,
                eval_config=given,
            )
        except ValueError as error:
            return str(error)
        write_evaluation(found, str(tmp_path / name))
        metrics = [
            (s.key, s.error, sorted(map(str, [*s.metrics.items(), *s.intervals.items()])))
            for s in found.slices
        ]
        metrics += [
            (each.name, "", sorted(map(str, each.metrics.items()))) for each in found.cross_slices
        ]
        return metrics, found.validation.to_dict(), sizes.pop(), sorted(os.listdir(tmp_path / name))

    return run


@pytest.mark.parametrize(("without", "with_it"), PAIRS.values(), ids=PAIRS)
def test_a_field_that_is_said_to_count_changes_the_outcome(outcome, without, with_it):
    plain = outcome(without, "without")
    assert not isinstance(plain, str), plain
    assert outcome(with_it, "with") != plain
