import gzip

import pyarrow as pa
import pytest

from penstock.data_validation import (
    StatsOptions,
    generate_statistics_from_csv,
    generate_statistics_from_parquet,
    generate_statistics_from_tfrecord,
    infer_schema,
    load_schema_text,
    load_statistics,
    load_stats_binary,
    load_stats_text,
    write_schema_text,
    write_stats_text,
)
from penstock.io import ExamplesWriter, read_csv

CSV = "n,f,s\n1,0.5,a\n2,,b\n3,1.5,\n"


@pytest.fixture
def csv(tmp_path):
    path = tmp_path / "data.csv"
    path.write_text(CSV)
    return str(path)


def test_csv_parquet_and_tfrecords_agree(tmp_path, csv):
    expected = generate_statistics_from_csv(csv)
    assert expected.datasets[0].num_examples == 3
    for file_format in ("tfrecords_gzip", "tfrecords", "parquet"):
        uri = str(tmp_path / file_format)
        with ExamplesWriter(uri, ["a"], file_format=file_format, missing="absent") as writer:
            for batch in read_csv([csv]):
                writer.write("a", batch)
        generate = (
            generate_statistics_from_parquet
            if file_format == "parquet"
            else generate_statistics_from_tfrecord
        )
        assert generate(f"{uri}/Split-a/*") == expected


def test_plain_parquet_columns_are_taken(tmp_path):
    import pyarrow.parquet as pq

    table = pa.table({"n": [1, None], "f": [0.5, 1.5], "s": ["a", "b"], "b": [True, False]})
    pq.write_table(table, tmp_path / "t.parquet")
    stats = generate_statistics_from_parquet(str(tmp_path / "t.parquet"))
    assert [f.type for f in stats.datasets[0].features] == [0, 1, 0, 2]
    few = StatsOptions(feature_allowlist=["f"])
    stats = generate_statistics_from_parquet(str(tmp_path / "t.parquet"), stats_options=few)
    assert [f.path.step[0] for f in stats.datasets[0].features] == ["f"]


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_dataframes(csv):
    pandas = pytest.importorskip("pandas")
    from penstock.data_validation import generate_statistics_from_dataframe

    frame = pandas.DataFrame({"n": [1, 2, 3], "f": [0.5, None, 1.5], "s": ["a", "b", None]})
    # A CSV's floats are single, as a tf.Example's are; a frame's stay double.
    single = frame.astype({"f": "float32"})
    assert generate_statistics_from_dataframe(single) == generate_statistics_from_csv(csv)


def test_types_from_a_schema(csv):
    schema = infer_schema(generate_statistics_from_csv(csv))
    del schema.feature[1:]
    schema.feature[0].type = 1
    options = StatsOptions(schema=schema, infer_type_from_schema=True)
    (feature,) = generate_statistics_from_csv(csv, stats_options=options).datasets[0].features
    assert (feature.path.step[0], feature.type) == (schema.feature[0].name, feature.STRING) or (
        feature.type == feature.FLOAT
    )


def test_statistics_and_schemas_are_stored(tmp_path, csv):
    path = str(tmp_path / "new" / "stats.pb")
    stats = generate_statistics_from_csv(csv, output_path=path)
    assert load_stats_binary(path) == load_statistics(path) == stats
    write_stats_text(stats, str(tmp_path / "stats.pbtxt"))
    assert load_stats_text(str(tmp_path / "stats.pbtxt")) == stats
    schema = infer_schema(stats)
    write_schema_text(schema, str(tmp_path / "schema.pbtxt"))
    assert load_schema_text(str(tmp_path / "schema.pbtxt")) == schema


def test_faulty_files_are_named(tmp_path):
    bad = tmp_path / "bad.pbtxt"
    bad.write_text("feature { nme: 'x' }")
    with pytest.raises(ValueError, match=r"bad\.pbtxt: not a Schema text proto: 1:11"):
        load_schema_text(str(bad))
    bad.write_bytes(b"\xff\xff\xff")
    with pytest.raises(
        ValueError, match=r"bad\.pbtxt: not a serialized DatasetFeatureStatisticsList"
    ):
        load_stats_binary(str(bad))
    with pytest.raises(FileNotFoundError, match=r"No files match .*nowhere"):
        generate_statistics_from_csv(str(tmp_path / "nowhere*"))


def test_the_options_of_a_local_pipeline_change_nothing(csv):
    options = pytest.importorskip("apache_beam.options.pipeline_options").PipelineOptions
    expected = generate_statistics_from_csv(csv)
    for local in (options([]), options(["--runner=DirectRunner", "--direct_num_workers=2"])):
        assert generate_statistics_from_csv(csv, pipeline_options=local) == expected


def test_a_pipeline_elsewhere_is_refused(csv):
    options = pytest.importorskip("apache_beam.options.pipeline_options").PipelineOptions
    elsewhere = options(["--runner=DataflowRunner"])
    for generate in (generate_statistics_from_csv, generate_statistics_from_tfrecord):
        with pytest.raises(ValueError, match=r"penstock.beam.GenerateStatistics.*DataflowRunner"):
            generate(csv, pipeline_options=elsewhere)


def test_the_compression_of_a_csv_file_is_what_its_name_says(tmp_path, csv):
    packed = str(tmp_path / "data.csv.gz")
    with gzip.open(packed, "wb") as file:
        file.write(CSV.encode())
    expected = generate_statistics_from_csv(csv, compression_type="uncompressed")
    for kind in (None, "auto", "gzip"):
        assert generate_statistics_from_csv(packed, compression_type=kind) == expected
    with pytest.raises(ValueError, match=r"data.csv: .*'uncompressed'.*compression_type='gzip'"):
        generate_statistics_from_csv(csv, compression_type="gzip")
