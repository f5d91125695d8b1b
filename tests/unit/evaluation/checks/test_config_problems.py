"""Every field of an EvalConfig is honoured, or refused in words."""

import re

import pytest

from penstock.evaluation.checks.config_problems import (
    COMPUTED,
    NOT_COMPUTED,
    config_problems,
    refuse_problems,
)
from penstock.evaluation.config import EvalConfig, as_eval_config
from penstock.evaluation.messages import message_class

LOWER = {"value_threshold": {"lower_bound": 0.5}}
RISE = {"change_threshold": {"absolute": 0.1, "direction": "HIGHER_IS_BETTER"}}


def config(metric=None, spec=None, model=None, **more):
    metrics = [{"class_name": "AUC", **(metric or {})}]
    return {
        "model_specs": [{"label_key": "y", **(model or {})}],
        "metrics_specs": [{"metrics": metrics, **(spec or {})}],
        **more,
    }


def problems(given) -> list[str]:
    return [str(problem) for problem in config_problems(as_eval_config(given))]


def reachable(descriptor, found=None) -> dict:
    """The messages that an EvalConfig may hold, by name."""
    found = {} if found is None else found
    if descriptor.file.package == "google.protobuf" or descriptor.name in found:
        return found
    if not descriptor.GetOptions().map_entry:
        found[descriptor.name] = descriptor
    for field in descriptor.fields:
        if field.message_type is not None:
            reachable(field.message_type, found)
    return found


def refused_where_it_stands(name: str) -> bool:
    """Whether each field that can hold the message is refused itself."""
    holders = [
        f"{message}.{field.name}"
        for message, descriptor in reachable(EvalConfig.DESCRIPTOR).items()
        for field in descriptor.fields
        if field.message_type is not None and _holds(field.message_type, name)
    ]
    return bool(holders) and all(
        holder in NOT_COMPUTED or refused_where_it_stands(holder.split(".")[0])
        for holder in holders
    )


def _holds(descriptor, name: str) -> bool:
    if descriptor.GetOptions().map_entry:
        value = descriptor.fields_by_name["value"].message_type
        return value is not None and value.name == name
    return descriptor.name == name


@pytest.mark.parametrize("name", sorted(reachable(EvalConfig.DESCRIPTOR)))
def test_each_field_of_each_message_has_an_effect_or_is_refused(name):
    for field in reachable(EvalConfig.DESCRIPTOR)[name].fields:
        refused = f"{name}.{field.name}" in NOT_COMPUTED or refused_where_it_stands(name)
        computed = field.name in COMPUTED.get(name, ())
        assert refused != computed, f"{name}.{field.name}"


def test_the_tables_name_fields_that_exist():
    fields = {name: d.fields_by_name for name, d in reachable(EvalConfig.DESCRIPTOR).items()}
    for name, known in COMPUTED.items():
        assert known <= set(fields[name])
    for path in NOT_COMPUTED:
        name, _, field = path.partition(".")
        assert field in fields[name]


SQL = {"slice_keys_sql": "SELECT STRUCT(g) FROM example.g"}
REFUSED = {
    "cross_slicing_specs[0].baseline_spec.slice_keys_sql": config(
        cross_slicing_specs=[{"baseline_spec": SQL}]
    ),
    "slicing_specs[0].slice_keys_sql": config(slicing_specs=[SQL]),
    "metrics_specs[0].metrics[0].per_slice_thresholds[0].slicing_specs[0].slice_keys_sql": config(
        {"per_slice_thresholds": [{"slicing_specs": [SQL], "threshold": LOWER}]}
    ),
    "metrics_specs[0].per_slice_thresholds['auc'].thresholds[0].slicing_specs[0].slice_keys_sql": config(
        spec={
            "per_slice_thresholds": {
                "auc": {"thresholds": [{"slicing_specs": [SQL], "threshold": LOWER}]}
            }
        }
    ),
    "model_specs[0].padding_options": config(model={"padding_options": {"label_int_padding": 1}}),
    "model_specs[0].model_type": config(model={"model_type": "tf_js"}),
    "options.confidence_intervals": config(
        options={"confidence_intervals": {"method": "JACKKNIFE"}}
    ),
    "options.disabled_outputs": config(options={"disabled_outputs": {"values": ["metrics"]}}),
}


@pytest.mark.parametrize(("place", "given"), REFUSED.items(), ids=REFUSED)
def test_what_is_not_computed_is_refused_where_it_stands(place, given):
    found = problems(given)
    assert any(problem.startswith(f"{place}: ") for problem in found), found


@pytest.mark.parametrize(
    "given",
    [
        config(),
        config(model={"model_type": "tf_keras"}),
        config(options={"include_default_metrics": False, "min_slice_size": 10}),
        config(options={"disabled_outputs": {"values": ["plots", "analysis"]}}),
        config({"threshold": {**LOWER, **RISE}}),
        config({"module": "tensorflow_model_analysis.metrics.confusion_matrix_metrics"}),
        config({"module": "tf_keras.src.metrics.confusion_metrics"}),
        config({"class_name": "FBeta", "module": "modules.metrics", "config": '"beta": 2'}),
        config({"class_name": "ExampleCount"}, model={"label_key": ""}),
        config({"class_name": "MeanPrediction"}, model={"label_key": ""}),
    ],
)
def test_what_is_computed_has_no_problems(given):
    assert problems(given) == []


@pytest.mark.parametrize(
    ("given", "message"),
    [
        (config(model={"label_keys": {"a": "y"}}), "label_key and label_keys are both set"),
        (config(model={"label_key": ""}), "AUC needs labels, but the ModelSpec has no label_key"),
        (config(spec={"model_names": ["other"]}), "there is no model 'other'"),
        (config(spec={"output_weights": {"a": 1.0}}), "'a' is not among the output_names: []"),
        (
            config(spec={"output_names": ["b"]}, model={"label_key": "", "label_keys": {"a": "y"}}),
            "label_keys has no label for 'b'",
        ),
        (
            config(model={"label_key": "", "label_keys": {"a": "y"}}),
            "the ModelSpec has label_keys by output (a); name some in output_names",
        ),
        (
            config(model={"example_weight_keys": {"a": "w"}}),
            "the ModelSpec has example_weight_keys by output (a)",
        ),
        (
            config(model={"prediction_key": "p"}, spec={"output_names": ["b"]}),
            "the ModelSpec's prediction_key would hide them",
        ),
        (
            config(slicing_specs=[{"feature_keys": ["a"], "feature_values": {"a": "1"}}]),
            "'a' is in both feature_keys and feature_values",
        ),
        (
            config({"class_name": "Acuracy"}),
            "There is no metric 'Acuracy'. Did you mean 'Accuracy'?",
        ),
        (
            config({"class_name": "NoSuchMetric", "module": "tfma.metrics"}),
            "TFMA's NoSuchMetric is not computed here",
        ),
        (config({"config": '"curv": "PR"'}), "no argument 'curv'. Did you mean 'curve'?"),
        (
            config({"config": '"curve": "roq"'}),
            "AUC's curve must be 'ROC' or 'PR'. Received: 'roq'",
        ),
        (config({"class_name": ""}), "has no class_name"),
        (config(spec={"metrics": []}), "has no metrics and no thresholds"),
        (
            config(spec={"example_weights": {"weighted": True}}),
            "weighted needs the weights' feature: set example_weight_key",
        ),
        (
            config(
                spec={"example_weights": {"weighted": True}, "output_names": ["a", "b"]},
                model={"example_weight_keys": {"a": "w"}},
            ),
            "weighted needs the weights' feature of the output 'b'",
        ),
        (config(spec={"example_weights": {}}), "set weighted or unweighted, or both"),
        (config(spec={"aggregate": {}}), "set micro_average, macro_average or weighted"),
        (
            config(spec={"aggregate": {"micro_average": False}}),
            "set micro_average, macro_average or",
        ),
        (config(spec={"aggregate": {"macro_average": True}}), "macro_average needs class_weights"),
        (
            config(
                spec={
                    "aggregate": {
                        "micro_average": True,
                        "class_weights": {0: 1},
                        "top_k_list": {"values": [1]},
                    }
                }
            ),
            "class_weights and top_k_list cannot be combined",
        ),
        (config(spec={"binarize": {}}), "set class_ids, k_list or top_k_list"),
        (config(spec={"binarize": {"k_list": {"values": [0]}}}), "must be at least 1. Received: 0"),
        (
            config({"config": '"class_id": 1'}, spec={"binarize": {"class_ids": {"values": [0]}}}),
            "AUC is for class_id 1, and its MetricsSpec also binarizes or aggregates",
        ),
        (
            {**config(), "model_specs": [{"name": "a", "label_key": "y"}, {"label_key": "y"}]},
            "each of several models needs a name. Received: ['a', '']",
        ),
    ],
)
def test_what_cannot_be_is_said_in_words(given, message):
    found = problems(given)
    assert any(message in problem for problem in found), found


@pytest.mark.parametrize(
    ("given", "message"),
    [
        (config({"threshold": {}}), "neither a value_threshold nor a change_threshold"),
        (config({"threshold": {"value_threshold": {}}}), "needs a lower_bound or an upper_bound"),
        (
            config({"threshold": {"value_threshold": {"lower_bound": "NaN"}}}),
            "lower_bound is not a number",
        ),
        (
            config({"threshold": {"value_threshold": {"lower_bound": 0.8, "upper_bound": 0.7}}}),
            "no value lies between a lower_bound of 0.8 and an upper_bound of 0.7",
        ),
        (
            config({"threshold": {"change_threshold": {"absolute": 0.1}}}),
            "needs a direction: HIGHER_IS_BETTER or LOWER_IS_BETTER",
        ),
        (
            config({"threshold": {"change_threshold": {"direction": "HIGHER_IS_BETTER"}}}),
            "the change_threshold needs absolute or relative",
        ),
        (config(spec={"thresholds": {"acu": LOWER}}), "'acu' is not computed. Did you mean 'auc'?"),
        (config({"per_slice_thresholds": [{"threshold": LOWER}]}), "has no slicing_specs"),
        (
            config({"class_name": "ConfusionMatrixPlot", "threshold": LOWER}),
            "confusion_matrix_plot is not a single number",
        ),
    ],
)
def test_a_threshold_that_could_say_nothing_is_refused(given, message):
    found = problems(given)
    assert any(message in problem for problem in found), found


def test_a_metric_of_the_same_name_and_other_arguments_would_be_hidden():
    two = config(
        spec={"metrics": [{"class_name": "AUC"}, {"class_name": "AUC", "config": '"curve": "PR"'}]}
    )
    (found,) = problems(two)
    assert found.startswith(
        "metrics_specs[0].metrics[1]: metrics_specs[0].metrics[0] is a different"
    )
    named = {"class_name": "AUC", "config": '"curve": "PR", "name": "auc_pr"'}
    assert problems(config(spec={"metrics": [{"class_name": "AUC"}, named]})) == []
    # The same once more is no contradiction, in whatever order its arguments stand.
    again = [
        {"class_name": "AUC", "config": c}
        for c in ('"curve": "PR", "top_k": 1', '"top_k": 1, "curve": "PR"')
    ]
    assert problems(config(spec={"metrics": again})) == []


def test_a_threshold_on_the_baseline_only_is_refused():
    models = [{"name": "a", "label_key": "y"}, {"name": "b", "label_key": "y", "is_baseline": True}]
    given = {**config({"threshold": LOWER}, spec={"model_names": ["b"]}), "model_specs": models}
    (found,) = problems(given)
    assert "is not computed for the models, outputs and classes of this MetricsSpec" in found


def test_fields_of_a_newer_tfma_are_refused():
    # Field 99 of the EvalConfig, a varint.
    given = as_eval_config(config())
    given.MergeFromString(b"\x98\x06\x01")
    assert [str(p) for p in config_problems(given)] == [
        "EvalConfig has unknown fields: numbers 99."
    ]


def test_all_problems_are_told_at_once():
    given = config({"class_name": "Acuracy"}, options={"min_slice_size": -1})
    with pytest.raises(
        ValueError, match=re.escape("The EvalConfig has 2 problems:\nmetrics_specs[0]")
    ):
        refuse_problems(as_eval_config(given))


def test_the_messages_of_results_are_no_part_of_a_config():
    assert "ValidationResult" not in reachable(EvalConfig.DESCRIPTOR)
    assert message_class("ValidationResult").DESCRIPTOR.fields
