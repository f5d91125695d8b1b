"""Personal features never reach what is written: rows, quarantine, statistics, anomalies, drift."""

import json

import pyarrow as pa
import pytest
from tensorflow_metadata.proto.v0 import schema_pb2

from penstock.artifacts import Schema
from penstock.components import CsvExampleGen, DriftMonitor, ExampleValidator, StatisticsGen
from penstock.data_validation import load_anomalies_binary, load_stats_binary, write_schema_text
from penstock.io import ExamplesSplit
from penstock.io.examples.messages import example_class
from penstock.io.examples.rows import rows_of_batch
from penstock.io.ingestion.personal_data import PersonalMask
from penstock.testing import ComponentFailed, run_component

PEOPLE = "name,age,city,fare\n" + "".join(
    f"secret-{row % 7},{20 + row % 5},{'xy'[row % 2]},{row}.5\n" for row in range(60)
)


@pytest.fixture
def schema(tmp_path):
    found = schema_pb2.Schema(
        feature=[
            {"name": "name", "type": "BYTES", "annotation": {"tag": ["PII"]}, "domain": "names"},
            {
                "name": "age",
                "type": "INT",
                "annotation": {"tag": ["pii"]},
                "int_domain": {"min": 30, "max": 40},
            },
            {"name": "city", "type": "BYTES"},
            {"name": "fare", "type": "FLOAT"},
        ],
        string_domain=[{"name": "names", "value": ["secret-0"]}],
    )
    artifact = Schema(str(tmp_path / "schema"))
    write_schema_text(found, artifact.file)
    return artifact


def ingest(tmp_path, schema, text=PEOPLE, **arguments):
    folder = tmp_path / "csv"
    folder.mkdir(exist_ok=True)
    (folder / "people.csv").write_text(text)
    component = CsvExampleGen(input_base=str(folder), schema=schema, **arguments)
    return run_component(component, tmp_path / str(len(list(tmp_path.iterdir()))))["examples"]


def columns(examples):
    (first, *_) = (batch for split in ExamplesSplit.all_of(examples) for batch in split.batches())
    return dict(zip(first.schema.names, (each.to_pylist() for each in first.columns), strict=True))


@pytest.mark.parametrize("file_format", ["tfrecords_gzip", "parquet"])
def test_texts_are_redacted_and_numbers_missing(file_format, schema, tmp_path):
    examples = ingest(tmp_path, schema, personal_data="redact", output_file_format=file_format)
    found = columns(examples)
    assert {value for row in found["name"] for value in row} == {b"***"}
    assert not any(row for row in found.get("age", []))
    assert {value for row in found["city"] for value in row} == {b"x", b"y"}


@pytest.mark.parametrize("file_format", ["tfrecords_gzip", "parquet"])
def test_dropped_features_are_not_there(file_format, schema, tmp_path):
    examples = ingest(tmp_path, schema, personal_data="drop", output_file_format=file_format)
    assert set(columns(examples)) == {"city", "fare"}


def test_pseudonyms_are_the_same_for_the_same_value_and_key(schema, tmp_path, monkeypatch):
    monkeypatch.setenv("PENSTOCK_PERSONAL_DATA_KEY", "one")
    first = columns(ingest(tmp_path, schema, personal_data="hash", output_file_format="parquet"))
    again = columns(ingest(tmp_path, schema, personal_data="hash"))
    names = {value for row in first["name"] for value in row}
    assert len(names) == 7
    assert not any(b"secret" in value for value in names)
    assert names == {value for row in again["name"] for value in row}
    assert len({value for row in first["age"] for value in row}) == 5
    monkeypatch.setenv("PENSTOCK_PERSONAL_DATA_KEY", "another")
    other = columns(ingest(tmp_path, schema, personal_data="hash"))
    assert names.isdisjoint(value for row in other["name"] for value in row)


def test_no_key_is_an_error(schema, tmp_path, monkeypatch):
    monkeypatch.delenv("PENSTOCK_PERSONAL_DATA_KEY", raising=False)
    with pytest.raises(ComponentFailed, match="PENSTOCK_PERSONAL_DATA_KEY, which is not set"):
        ingest(tmp_path, schema, personal_data="hash")


def test_schema_and_what_to_do_belong_together(schema):
    with pytest.raises(ValueError, match="belong together"):
        CsvExampleGen(input_base="data", personal_data="drop")
    with pytest.raises(ValueError, match="belong together"):
        CsvExampleGen(input_base="data", schema=schema)


def test_fractions_have_no_pseudonym():
    mask = PersonalMask(frozenset({"fare"}), "hash", b"key")
    with pytest.raises(TypeError, match="the feature 'fare', which has fractions"):
        mask(rows_of_batch(pa.record_batch({"fare": [1.5]})))


def test_both_forms_of_rows_are_masked_alike():
    rows = rows_of_batch(pa.record_batch({"name": [["a", "b"], None, []], "n": [[1], [2], [3]]}))
    for how in ("drop", "redact", "hash"):
        masked = PersonalMask(frozenset({"name"}), how, b"key")(rows)
        from_records = [
            list(example_class().FromString(each).features.feature["name"].bytes_list.value)
            for each in masked.records
        ]
        names = [] if how == "drop" else masked.batch["name"].to_pylist()
        assert from_records == ([[]] * 3 if how == "drop" else [row or [] for row in names])


def test_the_quarantine_says_where_and_not_what(schema, tmp_path):
    examples = ingest(
        tmp_path, schema, PEOPLE + "secret-9,30\n", personal_data="drop", on_error="skip"
    )
    with open(f"{examples.uri}/quarantine/broken_rows.jsonl", encoding="utf-8") as file:
        (entry,) = map(json.loads, file)
    assert entry["line"] == 62
    assert "raw" not in entry
    assert "secret" not in json.dumps(entry)


def test_statistics_anomalies_and_drift_tell_no_values(schema, tmp_path):
    folder = tmp_path / "csv"
    folder.mkdir()
    (folder / "people.csv").write_text(PEOPLE)
    raw = run_component(CsvExampleGen(input_base=str(folder)), tmp_path / "out")["examples"]
    statistics = run_component(StatisticsGen(examples=raw, schema=schema), tmp_path / "stats")[
        "statistics"
    ]
    file = f"{statistics.split_uri('train')}/FeatureStats.pb"
    (dataset,) = load_stats_binary(file).datasets
    by_name = {feature.path.step[0]: feature for feature in dataset.features}
    assert by_name["name"].string_stats.unique == 7
    assert "secret" not in str(dataset)
    assert not by_name["age"].num_stats.histograms
    assert by_name["age"].num_stats.max == 0
    assert by_name["city"].string_stats.rank_histogram.buckets
    found = run_component(
        ExampleValidator(statistics=statistics, schema=schema), tmp_path / "judged"
    )
    anomalies = load_anomalies_binary(f"{found['anomalies'].split_uri('train')}/SchemaDiff.pb")
    assert not anomalies.anomaly_info
    plain = run_component(StatisticsGen(examples=raw), tmp_path / "plain")["statistics"]
    monitor = DriftMonitor(statistics=plain, examples=raw, schema=schema, min_rows=10)
    drift = run_component(monitor, tmp_path / "drift")["drift"]
    with open(f"{drift.uri}/drift.json", encoding="utf-8") as report:
        assert "secret" not in report.read()


@pytest.mark.parametrize("how", ["drop", "redact", "hash"])
def test_beam_s_workers_mask_what_this_machine_masks(how, schema, tmp_path, monkeypatch):
    monkeypatch.setenv("PENSTOCK_PERSONAL_DATA_KEY", "one")
    folder = tmp_path / "csv"
    folder.mkdir()
    (folder / "people.csv").write_text(PEOPLE)
    rows = []
    for number, args in enumerate([None, ["--runner=FnApiRunner"]]):
        component = CsvExampleGen(input_base=str(folder), schema=schema, personal_data=how)
        if args is not None:
            component = component.with_beam_pipeline_args(args)
        examples = run_component(component, tmp_path / f"out{number}")["examples"]
        rows.append(
            [
                row
                for split in ExamplesSplit.all_of(examples)
                for batch in split.batches()
                for row in batch.to_pylist()
            ]
        )
    assert len(rows[0]) == 60
    assert rows[0] == rows[1]
