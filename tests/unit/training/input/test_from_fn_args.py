"""The arguments of `fn_args.dataset`: their defaults, and what is refused."""

import dataclasses
import subprocess
import sys

import pytest

from penstock.training import FnArgs

from .conftest import FORMATS, ROWS, SCHEMA, ids_of, write


def test_the_defaults(parquet):
    train, evaluation = parquet.dataset(), parquet.dataset("eval")
    assert (train.batch_size, train.order.shuffle, train.seed) == (32, True, 5)
    assert (evaluation.batch_size, evaluation.order.shuffle) == (32, False)
    assert not train.repeats
    parquet.global_batch_size, parquet.eval_batch_size, parquet.train_steps = 64, 128, 10
    assert (parquet.dataset().batch_size, parquet.dataset("eval").batch_size) == (64, 128)
    assert parquet.dataset().repeats
    assert not parquet.dataset("eval").repeats
    both = parquet.dataset(["train", "eval"], batch_size=100)
    assert ids_of(both.epoch(0)) == ROWS["train"] + ROWS["eval"]


def test_replicas_get_equal_parts_of_training_batches_alone(parquet):
    parquet.distribution = "mirrored"
    assert parquet.dataset("train", batch_size=8).order.drop_remainder
    assert not parquet.dataset("eval", batch_size=8).order.drop_remainder
    assert not parquet.dataset("train", batch_size=8, drop_remainder=False).order.drop_remainder


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ({"label_key": "lable"}, "label_key='lable' is not a feature.*Did you mean 'label'?"),
        ({"features": ["id", "kinds"]}, "features='kinds' is not a feature.*mean 'kind'?"),
        ({"label_key": ["label", "x"]}, "label_key='x' is not a feature.*Expected one of"),
        ({"label_key": "label", "weight_key": "pair"}, "'pair' must be one number a row.*2,"),
        ({"weight_key": "weight"}, "weight_key='weight' needs a label_key"),
        ({"label_key": "label", "features": ["label"]}, "names 'label', which is the label"),
        ({"batch_size": 0}, "batch_size must be 1 or more. Received: batch_size=0"),
        ({"split_or_splits": "test"}, r"Received: 'test'.*EvalArgs\(splits=\['test'\]\)"),
        ({"split_or_splits": []}, "an empty list"),
        ({"cache": -1}, "cache is True, False or a number of bytes. Received: -1"),
    ],
)
def test_what_cannot_work_is_refused(parquet, arguments, said):
    with pytest.raises(ValueError, match=said):
        parquet.dataset(**arguments)


def test_a_batch_size_is_a_whole_number(parquet):
    with pytest.raises(TypeError, match=r"whole number. Received: 2.5"):
        parquet.dataset(batch_size=2.5)


@pytest.mark.parametrize("file_format", FORMATS)
def test_a_split_without_rows_is_named(tmp_path, file_format):
    fn_args = write(tmp_path, file_format, {"train": [], "eval": [1]})
    with pytest.raises(ValueError, match="split 'train' has no rows: .*/Split-train/"):
        fn_args.dataset("train")
    (tmp_path / file_format / "row_counts.json").unlink()
    with pytest.raises(ValueError, match="There are no rows in .*/Split-train/"):
        next(fn_args.dataset("train").epoch(0))


def test_a_split_without_files_is_named(parquet):
    parquet.eval_files = ["/nowhere/Split-eval/*"]
    with pytest.raises(FileNotFoundError, match="No file matches '/nowhere"):
        parquet.dataset("eval")
    parquet.eval_files = []
    with pytest.raises(ValueError, match="eval_files is empty"):
        parquet.dataset("eval")


def test_a_label_that_the_examples_lack_is_named_with_the_file(fn_args, tmp_path):
    path = tmp_path / "schema.pbtxt"
    path.write_text(SCHEMA.replace('"label"', '"tipped"'))
    fn_args.schema_path = str(path)
    batches = fn_args.dataset("eval", label_key="tipped")
    with pytest.raises(ValueError, match="/Split-eval/.*feature 'tipped' is missing in all"):
        next(batches.epoch(0))


def test_without_a_schema_it_is_asked_for(parquet):
    parquet.schema_path = None
    with pytest.raises(ValueError, match=r"Trainer\(schema=...\) or Trainer\(transform_graph"):
        parquet.dataset()
    with pytest.raises(ValueError, match=r"Give one: Trainer\(transform_graph=...\)"):
        parquet.vocabulary("kind")


def test_a_feature_that_has_no_numpy_form_can_be_left_out(parquet, tmp_path):
    sparse = (
        'feature { name: "at" type: INT } feature { name: "value" type: FLOAT } sparse_feature '
        '{ name: "cells" index_feature { name: "at" } value_feature { name: "value" } }'
    )
    path = tmp_path / "schema.pbtxt"
    path.write_text(SCHEMA + sparse)
    parquet.schema_path = str(path)
    with pytest.raises(ValueError, match="'cells' is a sparse feature.*Leave it out by features="):
        parquet.dataset("eval")
    assert ids_of(parquet.dataset("eval", features=["id"]).epoch(0)) == ROWS["eval"]


def test_rows_of_other_tools_are_counted(fn_args, tmp_path):
    import shutil

    folder = fn_args.train_files[0].removesuffix("/*")
    shutil.copytree(folder, tmp_path / "files")
    fn_args.train_files = [f"{tmp_path}/files/*"]
    batches = fn_args.dataset("train", batch_size=100, shuffle=False)
    assert (batches.num_rows, batches.steps_per_epoch) == (503, 6)
    assert ids_of(batches.epoch(0, 4)) == ROWS["train"][400:]


def test_parquet_needs_neither_tensorflow_nor_tfx_bsl(written):
    fn_args = written["parquet"]
    program = f"""
import sys
for name in ("tensorflow", "keras", "tfx_bsl", "apache_beam", "pandas"):
    sys.modules[name] = None
from penstock.training import FnArgs
fn_args = FnArgs(train_files={fn_args.train_files!r}, schema_path={fn_args.schema_path!r},
                 file_format="parquet")
print(sum(len(labels) for _, labels in fn_args.dataset(label_key="label")))
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert (done.stdout, done.stderr) == ("503\n", "")


@pytest.mark.tensorflow
class TestTransformed:
    """With a transform graph, which `data` has made."""

    @pytest.fixture
    def fn_args(self, data) -> FnArgs:
        return FnArgs(train_files=[data.transformed], transform_graph_path=data.graph)

    def test_the_schema_is_that_of_the_transformed_examples(self, data, fn_args):
        from penstock.training import load_transform_output

        output = load_transform_output(data.graph)
        assert fn_args.schema == output.transformed_metadata.schema
        batch = next(fn_args.dataset(batch_size=50, shuffle=False, label_key="label_xf").epoch(0))
        assert sorted(batch[0]) == ["kind_xf", "x_xf"]
        assert batch[1][:, 0].tolist() == [0] * 30 + [1] * 20

    def test_of_raw_examples_it_is_the_raw_one(self, data, fn_args):
        raw = dataclasses.replace(fn_args, train_files=data.raw)
        assert [each.name for each in raw.schema.feature] == ["x", "note", "kind", "label"]
        features, _ = next(raw.dataset(batch_size=4, shuffle=False, label_key="label").epoch(0))
        assert features["kind"].to_list() == [[b"a"], [b"b"], [], [b"a"]]

    def test_vocabularies_are_those_of_tensorflow_transform(self, data, fn_args):
        from penstock.training import load_transform_output

        output = load_transform_output(data.graph)
        for name in ("kind", "label"):
            words = [word.decode() for word in output.vocabulary_by_name(name)]
            assert fn_args.vocabulary(name) == words
            assert fn_args.vocabulary_size(name) == output.vocabulary_size_by_name(name)
        assert fn_args.vocabulary("label") == ["low", "high"]
        with pytest.raises(ValueError, match="no vocabulary 'labels'. Did you mean 'label'?"):
            fn_args.vocabulary("labels")


@pytest.mark.tensorflow
@pytest.mark.parametrize("file_format", ["text", "tfrecord_gzip"])
def test_any_name_and_format_of_a_vocabulary(tmp_path, file_format):
    import tensorflow as tf

    from penstock.training.transform_facts import vocabulary

    assets = tmp_path / "transform_fn/assets"
    assets.mkdir(parents=True)
    words = [b"two words", b"", b"caf\xc3\xa9", b"\xff"]
    name = "my vocab (v1)"
    if file_format == "text":
        (assets / "my-vocab-_v1_").write_bytes(b"".join(word + b"\n" for word in words))
    else:
        options = tf.io.TFRecordOptions(compression_type="GZIP")
        with tf.io.TFRecordWriter(str(assets / "my-vocab-_v1_.tfrecord.gz"), options) as writer:
            for word in words:
                writer.write(word)
    from penstock.training.transform_graph import import_tensorflow_transform

    output = import_tensorflow_transform().TFTransformOutput(str(tmp_path))
    assert output.vocabulary_by_name(name) == words
    found = vocabulary(str(tmp_path), name)
    assert [word.encode(errors="surrogateescape") for word in found] == words
