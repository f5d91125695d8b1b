import pyarrow as pa
import pytest

from penstock.artifacts import ExampleStatistics
from penstock.components import DistributionValidator
from penstock.components.distribution_validator import (
    DistributionValidatorConfig,
    FeatureComparator,
)
from penstock.data_validation import (
    load_anomalies_binary,
    statistics_of_record_batches,
    write_stats_binary,
)
from penstock.testing import ComponentFailed, run_component
from penstock.testing.contract import check_component


def statistics(folder, **values_by_split):
    artifact = ExampleStatistics(str(folder), properties={"span": 4})
    artifact.splits = list(values_by_split)
    for split, values in values_by_split.items():
        found = statistics_of_record_batches([pa.record_batch({"s": [[v] for v in values]})])
        write_stats_binary(found, f"{artifact.split_uri(split)}/FeatureStats.pb")
    return artifact


@pytest.fixture
def inputs(tmp_path):
    return {
        "statistics": statistics(tmp_path / "new", train="aaab", eval="aaaa"),
        "baseline_statistics": statistics(tmp_path / "old", train="aabb", eval="aaaa"),
    }


def config(name="s", limit=0.2, **others):
    return DistributionValidatorConfig([FeatureComparator(name, infinity_norm=limit)], **others)


def anomalies_of(found, pair):
    return load_anomalies_binary(f"{found.uri}/SplitPair-{pair}/SchemaDiff.pb")


def test_the_contract(inputs, tmp_path):
    check_component(DistributionValidator(**inputs, config=config()), tmp_path / "work")


def test_splits_of_equal_name_are_compared(inputs, tmp_path):
    found = run_component(DistributionValidator(**inputs, config=config()), tmp_path)["anomalies"]
    assert found.custom_properties["blessed"] == {"train_train": 0, "eval_eval": 1}
    info = anomalies_of(found, "train_train").anomaly_info["s"]
    (reason,) = info.reason
    assert reason.type == info.COMPARATOR_L_INFTY_HIGH
    assert not info.short_description
    (measured,) = anomalies_of(found, "eval_eval").drift_skew_info
    assert measured.drift_measurements[0].value == 0


def test_just_inside_the_limit(inputs, tmp_path):
    component = DistributionValidator(**inputs, config=config(limit=0.25))
    found = run_component(component, tmp_path)["anomalies"]
    assert found.custom_properties["blessed"] == {"train_train": 1, "eval_eval": 1}


def test_other_pairs(inputs, tmp_path):
    pairs = [["eval", "train"]]
    component = DistributionValidator(**inputs, config=config(), include_split_pairs=pairs)
    found = run_component(component, tmp_path)["anomalies"]
    assert found.custom_properties["blessed"] == {"eval_train": 0}
    wrong = DistributionValidator(**inputs, config=config(), include_split_pairs=[["x", "y"]])
    with pytest.raises(ComponentFailed, match=r"\('x', 'y'\).*do not exist"):
        run_component(wrong, tmp_path / "wrong")
    with pytest.raises(ValueError, match=r"Received: \['train'\]"):
        DistributionValidator(**inputs, config=config(), include_split_pairs=[["train"]])


def test_a_feature_that_cannot_be_compared_is_an_anomaly(inputs, tmp_path):
    component = DistributionValidator(**inputs, config=config("misspelt"))
    found = run_component(component, tmp_path)["anomalies"]
    (reason,) = anomalies_of(found, "train_train").anomaly_info["misspelt"].reason
    assert reason.short_description == "Comparison could not be done."
    assert found.custom_properties["blessed"]["train_train"] == 0


def test_the_number_of_rows_is_compared(inputs, tmp_path):
    only_rows = DistributionValidatorConfig(min_num_examples_ratio=1.5)
    found = run_component(DistributionValidator(**inputs, config=only_rows), tmp_path)["anomalies"]
    info = anomalies_of(found, "train_train").dataset_anomaly_info
    assert [r.type for r in info.reason] == [info.COMPARATOR_LOW_NUM_EXAMPLES]


def test_without_a_baseline_everything_is_let_through(inputs, tmp_path):
    del inputs["baseline_statistics"]
    found = run_component(DistributionValidator(**inputs, config=config()), tmp_path)["anomalies"]
    assert found.custom_properties["blessed"] == {"train": 2, "eval": 2}


def test_it_fails_if_asked_to_and_says_why(inputs, tmp_path):
    component = DistributionValidator(**inputs, config=config(), fail_on="ERROR")
    with pytest.raises(ComponentFailed) as caught:
        run_component(component, tmp_path)
    text = "splits train_train, ERROR: feature 's': High Linfty distance between current and"
    assert text in str(caught.value)
    assert "above the threshold 0.2" in str(caught.value)


def test_configurations_are_checked():
    with pytest.raises(ValueError, match="needs a limit"):
        FeatureComparator("s")
    with pytest.raises(ValueError, match="needs at least one feature"):
        DistributionValidatorConfig()
