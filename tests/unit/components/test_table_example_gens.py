import datetime
import pickle

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from penstock.components import AvroExampleGen, ParquetExampleGen
from penstock.io import Input, Split, read_record_batches, read_row_counts, split_files
from penstock.io.examples.messages import example_class
from penstock.io.ingestion.broken_rows import read_quarantine
from penstock.io.ingestion.hash_split import bucket_of
from penstock.io.tfrecord.records import read_tfrecords
from penstock.testing import ComponentFailed, run_component
from penstock.testing.contract import check_component

fastavro = pytest.importorskip("fastavro")
ROWS = [
    {
        "n": None if i % 7 == 0 else i,
        "s": f"v{i % 3}",
        "f": None if i % 5 == 0 else i / 4,
        "l": list(range(i % 3)),
    }
    for i in range(200)
]


def as_tfx_writes(row):
    """What TFX's Parquet and Avro executors make of a row: nothing and [] have no kind."""
    message = example_class()()
    for name, value in row.items():
        feature = message.features.feature[name]
        values = value if isinstance(value, list) else [] if value is None else [value]
        if not values:
            continue
        if isinstance(values[0], str):
            feature.bytes_list.value.extend(value.encode() for value in values)
        elif isinstance(values[0], float):
            feature.float_list.value.extend(values)
        else:
            feature.int64_list.value.extend(values)
    return message.SerializeToString(deterministic=True)


def write_parquet(folder, rows=ROWS, name="rows.parquet"):
    folder.mkdir(exist_ok=True)
    pq.write_table(pa.Table.from_pylist(rows), folder / name, row_group_size=50)
    return ParquetExampleGen


def write_avro(folder, rows=ROWS, name="rows.avro"):
    folder.mkdir(exist_ok=True)
    nullable = {"n": ["null", "long"], "f": ["null", "double"], "s": "string"}
    fields = [{"name": n, "type": t} for n, t in nullable.items()]
    fields.append({"name": "l", "type": {"type": "array", "items": "long"}})
    with open(folder / name, "wb") as file:
        fastavro.writer(file, {"type": "record", "name": "r", "fields": fields}, rows)
    return AvroExampleGen


WRITERS = pytest.mark.parametrize("write", [write_parquet, write_avro])


@WRITERS
def test_the_contract(write, tmp_path):
    gen = write(tmp_path / "in")
    check_component(gen(input_base=str(tmp_path / "in")), tmp_path / "work")


@WRITERS
def test_records_and_splits_are_those_of_tfx(write, tmp_path):
    gen = write(tmp_path / "in")
    examples = run_component(gen(input_base=str(tmp_path / "in")), tmp_path / "out")["examples"]
    expected = [as_tfx_writes(row) for row in ROWS]
    splits = dict(zip(("train", "eval"), ([], []), strict=True))
    for record, bucket in zip(expected, bucket_of(expected, 3).tolist(), strict=True):
        splits["train" if bucket < 2 else "eval"].append(record)
    for split, records in splits.items():
        assert list(read_tfrecords(*split_files(examples.uri, split))) == records


@WRITERS
def test_parquet_output_and_shards(write, tmp_path):
    gen = write(tmp_path / "in")
    component = gen(input_base=str(tmp_path / "in"), output_file_format="parquet", num_shards=2)
    examples = run_component(component, tmp_path / "out")["examples"]
    files = [f for split in examples.splits for f in split_files(examples.uri, split)]
    assert len(files) == 4
    found = [
        row for b in read_record_batches(files, file_format="parquet") for row in b.to_pylist()
    ]
    assert sorted(row["n"][0] for row in found if row["n"]) == [r["n"] for r in ROWS if r["n"]]
    assert read_row_counts(examples.uri) == {
        split: sum(pq.read_metadata(f).num_rows for f in split_files(examples.uri, split))
        for split in examples.splits
    }


def test_a_parquet_file_with_another_schema_is_quarantined(tmp_path):
    write_parquet(tmp_path / "in")
    write_parquet(tmp_path / "in", [{"n": "text", "s": "x"}] * 4, "z.parquet")
    with pytest.raises(ComponentFailed, match=r"z\.parquet, column 'n': holds strings or bytes"):
        run_component(ParquetExampleGen(input_base=str(tmp_path / "in")), tmp_path / "out")
    component = ParquetExampleGen(input_base=str(tmp_path / "in"), on_error="skip")
    examples = run_component(component, tmp_path / "skip")["examples"]
    assert sum(read_row_counts(examples.uri).values()) == 200
    ((entry,)) = read_quarantine(examples.uri)
    assert (entry["file"], entry["column"], entry["rows"]) == ("z.parquet", "n", 4)
    copy = f"{examples.uri}/quarantine/{entry['copy']}"
    assert pq.read_table(copy).num_rows == 4


def test_splits_by_date(tmp_path):
    for day in ("2026-01-30", "2026-01-31"):
        for split in ("train", "eval"):
            folder = tmp_path / "in" / day
            folder.mkdir(parents=True, exist_ok=True)
            pq.write_table(pa.table({"day": [day]}), folder / f"{split}.parquet")
    pattern = "{YYYY}-{MM}-{DD}/"
    config = Input([Split("train", pattern + "train.*"), Split("eval", pattern + "eval.*")])
    component = ParquetExampleGen(input_base=str(tmp_path / "in"), input_config=config)
    examples = run_component(component, tmp_path / "out")["examples"]
    days = (datetime.date(2026, 1, 31) - datetime.date(1970, 1, 1)).days
    assert examples.custom_properties["span"] == days
    (batch,) = read_record_batches(split_files(examples.uri, "train"))
    assert batch.to_pylist() == [{"day": [b"2026-01-31"]}]


@WRITERS
def test_beam_reads_the_same_rows(write, tmp_path):
    gen = write(tmp_path / "in", ROWS[:100])
    write(tmp_path / "in", ROWS[100:], "z")
    files = sorted(str(path) for path in (tmp_path / "in").iterdir())
    component = gen(input_base=str(tmp_path / "in"))
    reader = pickle.loads(pickle.dumps(component.beam_input()))
    plan = pickle.loads(pickle.dumps(reader.plan([reader.survey(path) for path in files])))
    parts = [part for path in files for part in reader.parts(path, plan)]
    on_beam = [
        record for part in parts for rows in reader.rows(part, plan) for record in rows.records
    ]
    assert on_beam == [record for rows in component.read_rows(files) for record in rows.records]
    assert len(on_beam) == 200


def test_beam_refuses_another_schema(tmp_path):
    write_parquet(tmp_path / "in")
    write_parquet(tmp_path / "in", [{"n": "text"}], "z.parquet")
    reader = ParquetExampleGen(input_base=str(tmp_path / "in")).beam_input()
    surveys = [reader.survey(str(tmp_path / "in" / name)) for name in ("rows.parquet", "z.parquet")]
    with pytest.raises(ValueError, match=r"z\.parquet, column 'n': holds strings"):
        reader.plan(surveys)
