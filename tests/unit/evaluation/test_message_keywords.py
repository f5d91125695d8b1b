import copy
import pickle
import re

import pytest

from penstock.evaluation.config import (
    CrossSlicingSpec,
    EvalConfig,
    GenericChangeThreshold,
    GenericValueThreshold,
    MetricConfig,
    MetricsSpec,
    ModelSpec,
    Options,
    SlicingSpec,
    as_eval_config,
)


@pytest.mark.parametrize(
    ("make", "error", "message"),
    [
        (
            lambda: EvalConfig(model_spec=[]),
            ValueError,
            "EvalConfig has no field 'model_spec'. Did you mean 'model_specs'? Its fields: model_specs,",
        ),
        (
            lambda: EvalConfig(model_specs=[{"labl_key": "y"}]),
            ValueError,
            "ModelSpec has no field 'labl_key'. Did you mean 'label_key'?",
        ),
        (
            lambda: MetricConfig(config={"curve": "PR"}),
            TypeError,
            "MetricConfig.config must be JSON text, such as '\"curve\": \"PR\"'. Received: {'curve': 'PR'}",
        ),
        (
            lambda: SlicingSpec(feature_keys="sex"),
            TypeError,
            "SlicingSpec.feature_keys must be a list of text. Received: 'sex'",
        ),
        (
            lambda: EvalConfig(slicing_specs=[{"feature_keys": "sex"}]),
            TypeError,
            "SlicingSpec.feature_keys must be a list of text. Received: 'sex'",
        ),
        (
            lambda: GenericValueThreshold(lower_bound=0.7),
            TypeError,
            'GenericValueThreshold.lower_bound must be a value in a dict, such as {"value": 0.5}.',
        ),
        (
            lambda: GenericChangeThreshold(direction="HIGER"),
            TypeError,
            "must be one of UNKNOWN, LOWER_IS_BETTER, HIGHER_IS_BETTER. Received: 'HIGER'",
        ),
        (
            lambda: EvalConfig(model_specs=ModelSpec()),
            TypeError,
            "EvalConfig.model_specs must be a list of ModelSpec. Received: a ModelSpec",
        ),
        (lambda: Options(min_slice_size=3), TypeError, 'such as {"value": 10}. Received: 3'),
        (lambda: MetricsSpec(thresholds=[1]), TypeError, "MetricsSpec.thresholds must be a dict."),
        (
            lambda: CrossSlicingSpec(baseline=1),
            ValueError,
            "CrossSlicingSpec has no field 'baseline'. Did you mean 'baseline_spec'?",
        ),
    ],
)
def test_a_faulty_keyword_is_answered_with_what_is_right(make, error, message):
    with pytest.raises(error, match=re.escape(message)):
        make()


@pytest.mark.parametrize(
    ("given", "near"),
    [
        ({"modelSpec": []}, "modelSpecs"),
        ({"model_specs": [{"labelKy": "y"}]}, "labelKey"),
        ("model_spec { }", "model_specs"),
    ],
)
def test_a_misspelt_field_in_a_dict_or_text_is_answered_with_the_nearest(given, near):
    with pytest.raises(ValueError, match=f"Did you mean '{near}'"):
        as_eval_config(given)


def test_messages_are_made_copied_and_pickled_as_before():
    config = EvalConfig(
        model_specs=[ModelSpec(label_key="y"), {"name": "b"}],
        options=Options(min_slice_size={"value": 3}),
        slicing_specs=[SlicingSpec(feature_values={"a": "1"})],
    )
    assert EvalConfig.FromString(config.SerializeToString()) == config
    assert copy.deepcopy(config) == config
    assert pickle.loads(pickle.dumps(config)) == config
    assert config.options.min_slice_size.value == 3


def test_dicts_may_hold_plain_values_as_in_json():
    found = EvalConfig(
        options={"compute_confidence_intervals": True},
        metrics_specs=[
            {
                "metrics": [
                    {
                        "class_name": "AUC",
                        "threshold": {"value_threshold": {"lower_bound": 0.5}},
                    }
                ]
            }
        ],
    )
    assert found.options.compute_confidence_intervals.value
    bound = found.metrics_specs[0].metrics[0].threshold.value_threshold.lower_bound
    assert bound.value == 0.5
    # Each list or message is in one of the two forms.
    both = EvalConfig(
        options={"min_slice_size": 5},
        metrics_specs=[
            {"thresholds": {"auc": {"value_threshold": {"lower_bound": {"value": 0.5}}}}}
        ],
    )
    assert both.options.min_slice_size.value == 5
    with pytest.raises(TypeError, match="EvalConfig.options must be an Options. Received: 3"):
        EvalConfig(options=3)
