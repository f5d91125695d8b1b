import subprocess
import sys

import pytest
from google.protobuf import text_format

from penstock.evaluation import EvalConfig, MetricConfig, MetricsSpec, ModelSpec, SlicingSpec
from penstock.evaluation.config import SlicingSpec as SameSlicingSpec
from penstock.evaluation.config import as_eval_config

CONFIG = EvalConfig(
    model_specs=[ModelSpec(label_key="y")],
    slicing_specs=[SlicingSpec(), SlicingSpec(feature_keys=["a"])],
    metrics_specs=[MetricsSpec(metrics=[MetricConfig(class_name="AUC")])],
)


def test_importing_the_messages_imports_nothing_heavy():
    code = (
        "import sys; import penstock.evaluation; from penstock.evaluation import EvalConfig; "
        "EvalConfig(); heavy = {'numpy', 'pyarrow', 'tensorflow', 'apache_beam', "
        "'tensorflow_model_analysis'}; print(heavy & set(sys.modules)); sys.exit(bool(heavy & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize(
    "given",
    [
        CONFIG,
        text_format.MessageToString(CONFIG),
        {
            "modelSpecs": [{"labelKey": "y"}],
            "slicing_specs": [{}, {"feature_keys": ["a"]}],
            "metricsSpecs": [{"metrics": [{"className": "AUC"}]}],
        },
        '{"modelSpecs": [{"labelKey": "y"}], "slicingSpecs": [{}, {"featureKeys": ["a"]}],'
        ' "metricsSpecs": [{"metrics": [{"className": "AUC"}]}]}',
    ],
    ids=["message", "text", "dict", "json"],
)
def test_a_config_may_come_in_any_form(given):
    assert as_eval_config(given) == CONFIG


def test_optional_numbers_in_a_dict_may_be_plain_or_wrapped():
    def given(bound, least):
        threshold = {"value_threshold": {"lower_bound": bound}}
        metric = {"class_name": "AUC", "threshold": threshold}
        spec = {"metrics": (metric,), "thresholds": {"auc": threshold}}
        return {"metrics_specs": [spec], "options": {"minSliceSize": least}}

    config = as_eval_config(given({"value": 0.7}, {"value": 5}))
    assert config == as_eval_config(given(0.7, 5))
    assert config.metrics_specs[0].metrics[0].threshold.value_threshold.lower_bound.value == 0.7
    assert config.metrics_specs[0].thresholds["auc"].value_threshold.lower_bound.value == 0.7
    assert config.options.min_slice_size.value == 5


def test_a_config_is_copied():
    copy = as_eval_config(CONFIG)
    copy.model_specs[0].label_key = "other"
    assert CONFIG.model_specs[0].label_key == "y"


def test_a_misspelt_field_is_named():
    with pytest.raises(ValueError, match="modelSpec"):
        as_eval_config({"modelSpec": []})


def test_another_message_is_refused_by_name():
    with pytest.raises(TypeError, match=r"a message tensorflow_model_analysis\.ModelSpec"):
        as_eval_config(ModelSpec())
    with pytest.raises(TypeError, match="Received: int"):
        as_eval_config(3)


def test_the_lazy_names_are_the_modules_own():
    assert SlicingSpec is SameSlicingSpec
