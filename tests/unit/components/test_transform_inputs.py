"""What Transform reads: several artifacts, other payloads and formats, code given by its name."""

from __future__ import annotations

import textwrap
from pathlib import Path

import pyarrow as pa
import pytest
from google.protobuf import text_format
from tensorflow_metadata.proto.v0 import schema_pb2

from penstock.artifacts import Boolean, Examples, Schema, TransformCache
from penstock.components import CsvExampleGen, Transform
from penstock.data_validation import load_stats_binary, write_schema_text
from penstock.dsl import Importer, ParameterError, RuntimeParameter
from penstock.graph import Graph, compile_node
from penstock.io import (
    ExamplesWriter,
    TFRecordWriter,
    read_record_batches,
    read_row_counts,
    split_files,
)
from penstock.io.examples.messages import sequence_example_class
from penstock.testing import run_component
from penstock.transform import SplitsConfig

pytestmark = pytest.mark.tensorflow

NUMBERS = """
feature { name: "x" type: FLOAT presence { min_fraction: 1 } shape { dim { size: 1 } } }
"""
MODULE = """
    import tensorflow_transform as tft

    def scale(inputs, custom_config):
        assert custom_config == {}
        return {"unit": tft.scale_to_0_1(inputs["x"])}

    def few_buckets(stats_type, stats_options):
        stats_options.num_histogram_buckets = 2 + stats_type.value
        return stats_options
"""


@pytest.fixture
def project(tmp_path, monkeypatch):
    monkeypatch.syspath_prepend(str(tmp_path))
    return tmp_path


@pytest.fixture
def save_schema(tmp_path):
    def save(text: str) -> Schema:
        write_schema_text(
            text_format.Parse(text, schema_pb2.Schema()), str(tmp_path / "schema/schema.pbtxt")
        )
        return Schema(str(tmp_path / "schema"))

    return save


def span(folder: Path, file_format: str = "tfrecords_gzip", **splits: list[float]) -> Examples:
    with ExamplesWriter(str(folder), list(splits), file_format=file_format) as writer:
        for split, values in splits.items():
            cells = pa.array([[value] for value in values], pa.large_list(pa.float32()))
            writer.write(split, pa.RecordBatch.from_arrays([cells], ["x"]))
    examples = Examples(str(folder))
    examples.splits = list(splits)
    examples.custom_properties["file_format"] = file_format
    return examples


def rows(examples: Examples, split: str, name: str) -> list[object]:
    batches = read_record_batches(split_files(examples.uri, split))
    return [cell for batch in batches for cell in batch.column(name).to_pylist()]


def unit(inputs):
    import tensorflow_transform as tft

    return {"unit": tft.scale_to_0_1(inputs["x"])}


def log_of(root: Path) -> str:
    (path,) = root.glob("Transform/.system/executor_execution/*/log.txt")
    return path.read_text()


def test_rolling_window_analyzes_only_the_new_span(project, save_schema):
    schema = save_schema(NUMBERS)
    one = span(project / "1", train=[0.0, 2.0], eval=[4.0])
    two = span(project / "2", file_format="parquet", train=[3.0, 4.0, 8.0], eval=[16.0])

    def run(name: str, examples: list[Examples], cache: TransformCache | None):
        component = Transform(
            examples=examples,
            schema=schema,
            preprocessing_fn=unit,
            analyzer_cache=cache,
            disable_statistics=True,
        )
        return run_component(component, project / name, project_root=project)

    first = run("first", [one], None)
    assert "Split train: 2 rows analyzed" in log_of(project / "first")
    both = run("both", [one, two], TransformCache(first["updated_analyzer_cache"].uri))
    log = log_of(project / "both")
    assert "Split train: 3 rows analyzed" in log
    assert "Split train: 5 rows transformed" in log
    transformed = both["transformed_examples"]
    assert rows(transformed, "train", "unit") == [[0.0], [0.25], [0.375], [0.5], [1.0]]
    assert rows(transformed, "eval", "unit") == [[0.5], [2.0]]
    assert read_row_counts(transformed.uri) == {"train": 5, "eval": 2}

    # The window moves on: what leaves it does not count any more.
    moved = run("moved", [two], TransformCache(both["updated_analyzer_cache"].uri))
    assert "rows analyzed" not in log_of(project / "moved")
    expected = [[0.0], [pytest.approx(0.2)], [1.0]]
    assert rows(moved["transformed_examples"], "train", "unit") == expected


def test_equal_spans_both_count(project, save_schema):
    copies = [span(project / name, train=[1.0, 5.0]) for name in ("a", "b")]
    component = Transform(examples=copies, schema=save_schema(NUMBERS), preprocessing_fn=count_rows)
    outputs = run_component(component, project / "out", project_root=project)
    assert rows(outputs["transformed_examples"], "train", "rows") == [[4]] * 4
    (data,) = load_stats_binary(f"{outputs['pre_transform_stats'].uri}/FeatureStats.pb").datasets
    assert data.num_examples == 4


def count_rows(inputs):
    import tensorflow as tf
    import tensorflow_transform as tft

    return {"rows": tf.zeros_like(inputs["x"], tf.int64) + tft.size(inputs["x"])}


def test_artifacts_with_other_splits_or_payloads(project, save_schema):
    schema = save_schema(NUMBERS)
    one = span(project / "1", train=[1.0])
    other = span(project / "2", train=[1.0], test=[1.0])
    with pytest.raises(AssertionError, match=r"must have the same splits. .*\['train', 'test'\]"):
        run_component(
            Transform(examples=[one, other], schema=schema, preprocessing_fn=unit),
            project / "out",
        )
    other = span(project / "3", train=[1.0])
    other.custom_properties["payload_format"] = "FORMAT_TF_SEQUENCE_EXAMPLE"
    with pytest.raises(AssertionError, match="Transform takes examples of one payload format"):
        run_component(
            Transform(examples=[one, other], schema=schema, preprocessing_fn=unit),
            project / "out",
        )


def test_functions_by_their_names(project, save_schema):
    (project / "modules").mkdir()
    (project / "modules/named.py").write_text(textwrap.dedent(MODULE))
    component = Transform(
        examples=span(project / "1", train=[1.0, 3.0, 2.0]),
        schema=save_schema(NUMBERS),
        preprocessing_fn="modules.named.scale",
        stats_options_updater_fn="modules.named.few_buckets",
    )
    outputs = run_component(component, project / "out", project_root=project)
    assert rows(outputs["transformed_examples"], "train", "unit") == [[0.0], [1.0], [0.5]]
    for key, buckets in (("pre_transform_stats", 3), ("post_transform_stats", 4)):
        (data,) = load_stats_binary(f"{outputs[key].uri}/FeatureStats.pb").datasets
        assert len(data.features[0].num_stats.histograms[0].buckets) == buckets


def test_names_are_as_good_as_the_functions(project):
    from penstock.graph import compile_node

    examples, schema = Examples("examples"), Schema("schema")
    by_name = Transform(examples=examples, schema=schema, preprocessing_fn=f"{__name__}.unit")
    itself = Transform(examples=examples, schema=schema, preprocessing_fn=unit)
    assert compile_node(by_name).parameters == compile_node(itself).parameters
    dotted = Transform(examples=examples, schema=schema, module_file="modules.penguin")
    assert dotted.module_file == "modules.penguin"


@pytest.mark.parametrize("name", ["unit", "modules/penguin.py", "a..b", ".fn"])
def test_name_that_is_none(name):
    with pytest.raises(ValueError, match=r'"package.module.function"'):
        Transform(examples=Examples("e"), schema=Schema("s"), preprocessing_fn=name)


def test_function_as_a_runtime_parameter():
    name = RuntimeParameter("fn", str)
    node = compile_node(
        Transform(examples=Examples("e"), schema=Schema("s"), preprocessing_fn=name)
    )
    graph = Graph("p", None, None, (node,), {"fn": name})
    bound = graph.bind({"fn": "modules.penguin.preprocess"})["Transform"]
    # As a reference it is a part of the cache key, with the code that it names.
    assert bound.parameters["preprocessing_fn"] == {"$name": "modules.penguin:preprocess"}
    with pytest.raises(ParameterError, match="\"package.module.function\".*Received: 'unit'"):
        graph.bind({"fn": "unit"})


def test_a_named_function_is_keyed_though_another_parameter_is_not_known_yet():
    value = Importer("values/materialize", Boolean).outputs["result"]
    for unknown in (value, RuntimeParameter("materialize", bool)):
        transform = Transform(
            examples=Importer("examples", Examples).outputs["result"],
            schema=Importer("schema", Schema).outputs["result"],
            preprocessing_fn="modules.penguin.preprocess",
            materialize=unknown,
        )
        node = compile_node(transform)
        assert node.parameters["preprocessing_fn"] == {"$name": "modules.penguin:preprocess"}


def test_name_without_a_function(project, save_schema):
    (project / "lacking.py").write_text("x = 1\n")
    component = Transform(
        examples=span(project / "1", train=[1.0]),
        schema=save_schema(NUMBERS),
        preprocessing_fn="lacking.preprocess",
    )
    with pytest.raises(Exception, match="module 'lacking' has no 'preprocess'"):
        run_component(component, project / "out", project_root=project)


def test_nothing_to_transform(project, save_schema):
    component = Transform(
        examples=span(project / "1", train=[1.0, 2.0], eval=[3.0]),
        schema=save_schema(NUMBERS),
        preprocessing_fn=unit,
        splits_config=SplitsConfig(analyze=["train"], transform=[]),
    )
    outputs = run_component(component, project / "out", project_root=project)
    assert outputs["transformed_examples"].splits == []
    (data,) = load_stats_binary(f"{outputs['post_transform_stats'].uri}/FeatureStats.pb").datasets
    assert data.num_examples == 0


def test_csv_as_parquet(project, save_schema):
    (project / "data").mkdir()
    lines = ["x,word"] + [f"{x}.5,{'ab'[x % 2]}" if x % 3 else f"{x}.5," for x in range(40)]
    (project / "data/data.csv").write_text("\n".join(lines) + "\n")
    component = CsvExampleGen(input_base="data", output_file_format="parquet")
    examples = run_component(component, project / "csv", project_root=project)["examples"]
    assert examples.custom_properties["file_format"] == "parquet"
    schema = save_schema(NUMBERS + 'feature { name: "word" type: BYTES }')
    component = Transform(examples=examples, schema=schema, preprocessing_fn=unit_and_word)
    outputs = run_component(component, project / "out", project_root=project)
    found = rows(outputs["transformed_examples"], "train", "word")
    raw = [
        cell
        for batch in read_record_batches(
            split_files(examples.uri, "train"), file_format="parquet", columns=["word"]
        )
        for cell in batch.column("word").to_pylist()
    ]
    order = sorted({b"a", b"b"}, key=lambda word: (-raw.count([word]), word))
    assert found == [[] if cell is None else [order.index(cell[0])] for cell in raw]


def unit_and_word(inputs):
    import tensorflow_transform as tft

    word = tft.compute_and_apply_vocabulary(inputs["word"])
    return unit(inputs) | {"word": word}


SEQUENCES = """
feature { name: "x" type: FLOAT presence { min_fraction: 1 } shape { dim { size: 1 } } }
feature {
  name: "##SEQUENCE##" type: STRUCT
  struct_domain {
    feature { name: "clicks" type: INT } feature { name: "words" type: BYTES }
  }
}
"""


def sequences(folder: Path) -> Examples:
    records = []
    for x, clicks, words in [
        (1.0, [[1, 2], [3]], [["a"]]),
        (3.0, [], [["b", "a"], [], ["b"]]),
        (2.0, [[7]], [["b"]]),
    ]:
        example = sequence_example_class()()
        example.context.feature["x"].float_list.value.append(x)
        for values in clicks:
            feature = example.feature_lists.feature_list["clicks"].feature.add()
            feature.int64_list.value.extend(values)
        for values in words:
            feature = example.feature_lists.feature_list["words"].feature.add()
            feature.bytes_list.value.extend(word.encode() for word in values)
        records.append(example.SerializeToString())
    (folder / "Split-train").mkdir(parents=True)
    with TFRecordWriter(str(folder / "Split-train/data_tfrecord-00000-of-00001.gz")) as writer:
        writer.write_all(records)
    examples = Examples(str(folder))
    examples.splits = ["train"]
    examples.custom_properties["payload_format"] = "FORMAT_TF_SEQUENCE_EXAMPLE"
    return examples


def sequence_fn(inputs):
    import tensorflow as tf
    import tensorflow_transform as tft

    words, clicks = inputs["##SEQUENCE##.words"], inputs["##SEQUENCE##.clicks"]
    assert isinstance(words, tf.RaggedTensor)
    index = tft.compute_and_apply_vocabulary(words.merge_dims(1, 2), vocab_filename="words")
    most = tf.reduce_max(clicks.merge_dims(1, 2), axis=1)
    return {
        "unit": tft.scale_to_0_1(inputs["x"]),
        "words": index,
        "most": tf.maximum(most, 0)[:, tf.newaxis],
    }


def test_sequence_examples(project, save_schema):
    component = Transform(
        examples=sequences(project / "1"),
        schema=save_schema(SEQUENCES),
        preprocessing_fn=sequence_fn,
    )
    outputs = run_component(component, project / "out", project_root=project)
    transformed = outputs["transformed_examples"]
    assert rows(transformed, "train", "unit") == [[0.0], [1.0], [0.5]]
    assert rows(transformed, "train", "words$ragged_values") == [[1], [0, 1, 0], [0]]
    assert rows(transformed, "train", "most") == [[3], [0], [7]]
    (data,) = load_stats_binary(f"{outputs['pre_transform_stats'].uri}/FeatureStats.pb").datasets
    paths = {tuple(feature.path.step) for feature in data.features}
    assert ("##SEQUENCE##", "words") in paths


def raw_fn(inputs):
    import tensorflow as tf

    return {"length": tf.cast(tf.strings.length(inputs["raw_record"]), tf.int64)}


def test_raw_records(project, save_schema):
    folder = project / "1/Split-train"
    folder.mkdir(parents=True)
    with TFRecordWriter(str(folder / "data_tfrecord-00000-of-00001.gz")) as writer:
        writer.write_all([b"abc", b"", b"\xff\x00"])
    examples = Examples(str(project / "1"))
    examples.splits = ["train"]
    examples.custom_properties["payload_format"] = "FORMAT_PROTO"
    component = Transform(examples=examples, schema=save_schema(NUMBERS), preprocessing_fn=raw_fn)
    with pytest.raises(
        AssertionError, match=r"one feature 'raw_record' of type BYTES.*\n?.*It has: x"
    ):
        run_component(component, project / "failing", project_root=project)
    save_schema(NUMBERS.replace('"x" type: FLOAT', '"raw_record" type: BYTES'))
    outputs = run_component(component, project / "out", project_root=project)
    assert rows(outputs["transformed_examples"], "train", "length") == [[3], [0], [2]]
