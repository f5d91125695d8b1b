import subprocess
import sys

import pytest

from penstock.evaluation import check_config

LOWER = {"value_threshold": {"lower_bound": 0.5}}


def config(metric=None, **more):
    return {
        "model_specs": [{"label_key": "late"}],
        "metrics_specs": [{"metrics": [{"class_name": "AUC", **(metric or {})}]}],
        **more,
    }


def said(given, **more) -> list[str]:
    return [str(problem) for problem in check_config(given, **more)]


def test_a_sound_config_has_no_problems():
    given = config(slicing_specs=[{}, {"feature_keys": ["carrier"]}])
    assert said(given, features=["late", "carrier"]) == []


def test_what_does_not_parse_is_a_problem_and_no_error():
    (found,) = said({"modelSpec": []})
    assert "Did you mean 'modelSpecs'?" in found


def test_labels_weights_and_slices_are_features():
    given = config(
        slicing_specs=[{"feature_keys": ["carier"]}, {"feature_values": {"origin": "A"}}]
    )
    given["model_specs"][0].update(label_key="lat", example_weight_key="w")
    assert said(given, features=["late", "carrier"]) == [
        "model_specs[0].label_key: the label 'lat' is not a feature of the examples. Did you mean 'late'? "
        "Features: carrier, late",
        "model_specs[0].example_weight_key: the example weight 'w' is not a feature of the examples. "
        "Features: carrier, late",
        "slicing_specs[0]: the slicing feature 'carier' is not a feature of the examples. "
        "Did you mean 'carrier'? Features: carrier, late",
        "slicing_specs[1]: the slicing feature 'origin' is not a feature of the examples. "
        "Features: carrier, late",
    ]


def test_a_transformed_feature_may_have_any_name_but_a_misspelt_one():
    given = config(slicing_specs=[{"feature_keys": ["sign"]}, {"feature_keys": ["carier"]}])
    (found,) = said(given, features=["late", "carrier"], has_transform=True)
    assert "'carier'" in found


@pytest.mark.parametrize(
    ("slicing", "wanted", "reached"),
    [
        ([], {}, True),
        ([], {"feature_keys": ["a"]}, False),
        ([{"feature_keys": ["a"]}], {"feature_values": {"a": "1"}}, True),
        ([{"feature_keys": ["a"]}], {}, False),
        ([{"feature_values": {"a": "1"}}], {"feature_values": {"a": "1.0"}}, True),
        ([{"feature_values": {"a": "1"}}], {"feature_values": {"a": "2"}}, False),
        ([{"feature_keys": ["b", "a"]}], {"feature_keys": ["a", "b"]}, True),
    ],
)
def test_a_threshold_on_slices_that_are_not_evaluated_is_told(slicing, wanted, reached):
    metric = {"per_slice_thresholds": [{"slicing_specs": [wanted], "threshold": LOWER}]}
    found = said(config(metric, slicing_specs=slicing))
    assert (not found) if reached else ("the model would never be blessed" in found[0])


def test_a_module_of_ones_own_is_looked_at_and_not_run(tmp_path):
    (tmp_path / "modules").mkdir()
    (tmp_path / "modules/metrics.py").write_text("raise SystemExit\nclass FBeta:\n    pass\n")
    (tmp_path / "modules/other.py").write_text("class FBeta:\n    pass\n")
    metric = {"class_name": "FBeat", "module": "modules.other"}
    (found,) = said(config(metric), project_root=str(tmp_path))
    assert "modules/other.py defines no 'FBeat'. Did you mean 'FBeta'?" in found
    for name, module in (
        ("FBeta", "modules.other"),
        ("Any", "modules.metrics"),
        ("Any", "metrics"),
    ):
        metric = {"class_name": name, "module": module}
        assert said(config(metric), project_root=str(tmp_path)) == []


def test_checking_imports_nothing_heavy():
    code = (
        "import sys; from penstock.evaluation import check_config; "
        "check_config({'metrics_specs': [{'metrics': [{'class_name': 'AUC'}]}]}, features=['a']); "
        "heavy = {'numpy', 'pyarrow', 'tensorflow', 'apache_beam'} & set(sys.modules); "
        "sys.exit(str(heavy) if heavy else 0)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
