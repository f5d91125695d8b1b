import pyarrow as pa
import pytest

from penstock.artifacts import ExampleStatistics, Schema, Verdict
from penstock.components import ExampleValidator
from penstock.components.example_validator import anomalies_found
from penstock.data_validation import (
    infer_schema,
    load_anomalies_binary,
    statistics_of_record_batches,
    write_schema_text,
    write_stats_binary,
)
from penstock.testing import ComponentFailed, run_component
from penstock.testing.contract import check_component


@pytest.fixture
def inputs(tmp_path):
    statistics = ExampleStatistics(str(tmp_path / "statistics"), properties={"span": 4})
    statistics.splits = ["train", "eval"]
    found = {}
    for split, values in (("train", ["a", "b"]), ("eval", ["c", "b"])):
        batch = pa.record_batch({"s": [[value] for value in values]})
        found[split] = statistics_of_record_batches([batch])
        write_stats_binary(found[split], f"{statistics.split_uri(split)}/FeatureStats.pb")
    write_schema_text(infer_schema(found["train"]), str(tmp_path / "schema/schema.pbtxt"))
    return {"statistics": statistics, "schema": Schema(str(tmp_path / "schema"))}


def test_the_contract(inputs, tmp_path):
    check_component(ExampleValidator(**inputs), tmp_path / "work")


def test_anomalies_are_reported_by_split(inputs, tmp_path):
    found = run_component(ExampleValidator(**inputs), tmp_path)["anomalies"]
    assert found.splits == ["train", "eval"]
    assert found.custom_properties["blessed"] == {"train": 1, "eval": 0}
    assert found.properties["span"] == 4
    anomalies = load_anomalies_binary(f"{found.split_uri('eval')}/SchemaDiff.pb")
    assert anomalies.anomaly_info["s"].short_description == "Unexpected string values"


@pytest.mark.parametrize("fail_on", ["ERROR", "WARNING"])
def test_it_fails_if_asked_to_and_says_why(inputs, tmp_path, fail_on):
    with pytest.raises(ComponentFailed) as caught:
        run_component(ExampleValidator(**inputs, fail_on=fail_on), tmp_path)
    assert "split eval, ERROR: feature 's': Unexpected string values." in str(caught.value)
    assert "c (~50%)" in str(caught.value)
    assert caught.value.verdict == Verdict("1 anomaly in s", ok=False)
    kept = caught.value.outputs["anomalies"]
    assert load_anomalies_binary(f"{kept.split_uri('eval')}/SchemaDiff.pb").anomaly_info


def test_what_is_long_is_told_in_short():
    error = anomalies_found(
        [f"split eval, ERROR: feature 'x{i}': {'v ' * 900}" for i in range(30)], "ERROR", "Fix."
    )
    lines = str(error).splitlines()
    assert lines[0] == "30 anomalies of severity ERROR or worse (fail_on='ERROR'):"
    assert len(lines) == 13
    assert max(map(len, lines)) < 330
    assert lines[-2:] == ["  and 20 more, in the log and in SchemaDiff.pb", "Fix."]


def test_it_does_not_fail_on_good_splits(inputs, tmp_path):
    component = ExampleValidator(**inputs, exclude_splits=["eval"], fail_on="WARNING")
    found = run_component(component, tmp_path)["anomalies"]
    assert found.custom_properties["blessed"] == {"train": 1}


def test_definitions_are_checked(inputs):
    with pytest.raises(ValueError, match="fail_on"):
        ExampleValidator(**inputs, fail_on="error")
