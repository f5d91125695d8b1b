import dataclasses
import glob
import os
import shutil
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest

from penstock.artifacts import Examples
from penstock.bulk_inference import (
    ClassifyOutput,
    InferencePlan,
    ModelSpec,
    OutputColumnsSpec,
    OutputExampleSpec,
    PredictOutput,
    PredictOutputCol,
    RegressOutput,
    infer,
)
from penstock.io import ExamplesSplit, TFRecordWriter, read_tfrecords
from penstock.serving import ModelError

from .conftest import ROWS, write_examples

pytestmark = pytest.mark.tensorflow

HALF = OutputExampleSpec(
    [OutputColumnsSpec(predict_output=PredictOutput([PredictOutputCol("half", "y")]))]
)


def records_of(pattern) -> list[bytes]:
    return [record for path in sorted(glob.glob(str(pattern))) for record in read_tfrecords(path)]


def logs_of(folder, message=None):
    from tensorflow_serving.apis import prediction_log_pb2

    found = records_of(f"{folder}/prediction_logs-*.gz")
    return [prediction_log_pb2.PredictionLog.FromString(record) for record in found]


def of_tfx(model, records, *signatures):
    """Return the logs of tfx-bsl's RunInference."""
    import tensorflow as tf
    from tfx_bsl.beam import run_inference
    from tfx_bsl.public.proto import model_spec_pb2

    spec = model_spec_pb2.InferenceSpecType()
    spec.saved_model_spec.model_path = model
    spec.saved_model_spec.signature_name.extend(signatures)
    with tf.Graph().as_default():
        handler = run_inference.create_model_handler(spec, None, None)
        # tfx-bsl fails on an output of one string a row.
        handler._io_tensor_spec.output_alias_tensor_names.pop("name", None)
        session = handler.load_model()
        return list(handler.run_inference(records, session))


def examples_of(folder, split):
    from tensorflow.train import Example

    return [Example.FromString(each) for each in records_of(f"{folder}/Split-{split}/examples-*")]


@pytest.mark.parametrize(
    "signatures", [(), ("serving_default",), ("classify",), ("regress",)], ids=str
)
def test_the_logs_are_those_of_tfx(model, examples, tmp_path, signatures):
    plan = InferencePlan(model, ModelSpec(signatures), batch_size=4)
    rows = infer(ExamplesSplit.all_of(examples), plan, str(tmp_path))
    assert rows == {"train": ROWS, "eval": 7}
    # A file for each file of rows, in order.
    assert [Path(path).name for path in sorted(glob.glob(f"{tmp_path}/*"))] == [
        f"prediction_logs-{i:05d}-of-00004.gz" for i in range(4)
    ]
    records = [
        *records_of(f"{examples.uri}/Split-train/*"),
        *records_of(f"{examples.uri}/Split-eval/*"),
    ]
    logs = logs_of(tmp_path)
    predicted = [each.predict_log for each in logs if each.HasField("predict_log")]
    names = [each.response.outputs.pop("name") for each in predicted]
    assert logs == of_tfx(model, records, *signatures)
    if names:
        assert [each.string_val[0] for each in names[:2]] == [b"none", b"row 2row 2"]


def test_several_heads_in_one_log(model, examples, tmp_path):
    """As tfx-bsl logs them, which takes only heads with one common input (TensorFlow 1's)."""
    infer(
        ExamplesSplit.all_of(examples),
        InferencePlan(model, ModelSpec(["regress", "classify"])),
        str(tmp_path),
    )
    records = records_of(f"{examples.uri}/Split-train/*")
    regressed, classified = of_tfx(model, records, "regress"), of_tfx(model, records, "classify")
    for log, first, second in zip(logs_of(tmp_path)[:ROWS], regressed, classified, strict=True):
        multi = log.multi_inference_log
        assert multi.request.input == first.regress_log.request.input
        assert [each.model_spec.signature_name for each in multi.response.results] == [
            "regress",
            "classify",
        ]
        assert multi.response.results[0].regression_result == first.regress_log.response.result
        assert (
            multi.response.results[1].classification_result == second.classify_log.response.result
        )


def test_a_signature_that_takes_tensors(model, examples, tmp_path):
    from tensorflow import make_ndarray

    infer(
        [ExamplesSplit.of(examples, "eval")],
        InferencePlan(model, ModelSpec(["halve"])),
        str(tmp_path),
    )
    log = logs_of(tmp_path)[0].predict_log
    assert make_ndarray(log.request.inputs["x"]).tolist() == [3.0]
    assert make_ndarray(log.response.outputs["half"]).tolist() == [1.5]


def test_predictions_as_features(model, examples, tmp_path):
    keys = ["scores", "half", "column", "whole", "positive", "name", "names", "double", "none"]
    columns = [PredictOutputCol(key, f"p_{key}") for key in keys]
    output = OutputExampleSpec([OutputColumnsSpec(predict_output=PredictOutput(columns))])
    rows = infer(
        ExamplesSplit.all_of(examples),
        InferencePlan(model, output=output, batch_size=3),
        str(tmp_path),
    )
    assert rows == {"train": ROWS, "eval": 7}
    before = records_of(f"{examples.uri}/Split-train/*")
    from tensorflow.train import Example

    for record, found in zip(before, examples_of(tmp_path, "train"), strict=True):
        given = Example.FromString(record).features.feature
        got = found.features.feature
        assert {k: v for k, v in got.items() if not k.startswith("p_")} == dict(given)
        x = given["x"].float_list.value[0]
        name = given["name"].bytes_list.value[:] or [b"none"]
        assert got["p_scores"].float_list.value[:] == [x, 2 * x]
        assert got["p_half"].float_list.value[:] == [x / 2]
        assert got["p_column"].float_list.value[:] == [x]
        assert got["p_double"].float_list.value[:] == [x]
        assert got["p_whole"].int64_list.value[:] == [int(x) - 3]
        assert got["p_positive"].int64_list.value[:] == [int(x > 3)]
        assert got["p_name"].bytes_list.value[:] == name
        assert got["p_names"].bytes_list.value[:] == [name[0], name[0].upper()]
        assert got["p_none"].float_list.value[:] == []
    written = Examples(str(tmp_path))
    written.splits = ["train", "eval"]
    assert sum(batch.num_rows for batch in ExamplesSplit.of(written, "train").batches()) == ROWS


def test_heads_as_features(model, examples, tmp_path):
    specs = [
        OutputColumnsSpec("classify", classify_output=ClassifyOutput("class", "score")),
        OutputColumnsSpec("regress", regress_output=RegressOutput("value")),
        # Unlike in a PredictionLog, a signature that predicts may be among several.
        OutputColumnsSpec(
            "serving_default", predict_output=PredictOutput([PredictOutputCol("half", "h")])
        ),
    ]
    plan = InferencePlan(
        model,
        ModelSpec(["classify", "regress", "serving_default"]),
        OutputExampleSpec(specs),
    )
    infer([ExamplesSplit.of(examples, "eval")], plan, str(tmp_path))
    got = examples_of(tmp_path, "eval")[0].features.feature
    assert got["class"].bytes_list.value[:] == [b"low", b"higher"]
    assert got["score"].float_list.value[:] == [3.0, 6.0]
    assert got["value"].float_list.value[:] == [9.0]
    assert got["h"].float_list.value[:] == [1.5]


@pytest.mark.parametrize("file_format", ["tfrecords_gzip", "parquet"])
def test_parquet_has_the_same_columns_whatever_was_read(model, tmp_path, file_format):
    examples = write_examples(tmp_path / "in", file_format)
    plan = InferencePlan(model, output=HALF, file_format="parquet", batch_size=2)
    rows = infer(ExamplesSplit.all_of(examples), plan, str(tmp_path / "out"))
    assert rows == {"train": ROWS, "eval": 7}
    table = pq.read_table(tmp_path / "out" / "Split-train")
    assert sorted(table.column_names) == ["id", "name", "x", "y"]
    assert table["y"].to_pylist() == [[x / 2] for (x,) in table["x"].to_pylist()]
    written = Examples(str(tmp_path / "out"), custom_properties={"file_format": "parquet"})
    written.splits = ["train", "eval"]
    ids = [
        i
        for batch in ExamplesSplit.of(written, "train").batches()
        for (i,) in batch["id"].to_pylist()
    ]
    assert ids == [*range(0, ROWS, 2), *range(1, ROWS, 2)]


def test_the_bytes_of_a_batch_are_bounded_too(model, tmp_path, monkeypatch):
    from penstock.bulk_inference import output_file

    seen = []
    original = output_file.prediction_logs
    monkeypatch.setattr(
        output_file,
        "prediction_logs",
        lambda records, heads: seen.append(records) or original(records, heads),
    )
    for file_format in ("tfrecords_gzip", "parquet"):
        examples = write_examples(tmp_path / file_format, file_format)
        plan = InferencePlan(model, batch_bytes=300)
        infer([ExamplesSplit.of(examples, "train")], plan, str(tmp_path / "out"))
        assert sum(map(len, seen)) == ROWS
        assert all(len(records) < ROWS / 2 for records in seen)
        seen.clear()


def test_several_processes_write_the_same_bytes(model, examples, tmp_path):
    splits = ExamplesSplit.all_of(examples)
    for processes in (1, 2):
        infer(splits, InferencePlan(model), str(tmp_path / str(processes)), processes=processes)
    for path in (tmp_path / "1").iterdir():
        assert path.read_bytes() == (tmp_path / "2" / path.name).read_bytes()


def test_an_error_leaves_the_whole_files_before_it_and_no_part_of_one(model, examples, tmp_path):
    split = ExamplesSplit.of(examples, "train")
    damaged = tmp_path / "damaged.gz"
    with TFRecordWriter(str(damaged)) as writer:
        writer.write_all([*records_of(split.files[0]), b"no tf.Example"])
    split = dataclasses.replace(split, files=[split.files[0], str(damaged)], row_count=None)
    with pytest.raises(ValueError, match="no tf.Example|parse") as error:
        infer([split], InferencePlan(model, batch_size=2), str(tmp_path / "out"), processes=1)
    assert f"The rows are those of {damaged}, from 0." in error.value.__notes__
    assert os.listdir(tmp_path / "out") == ["prediction_logs-00000-of-00002.gz"]


def test_nothing_is_left_of_a_file_that_cannot_be_written(model, examples, tmp_path, monkeypatch):
    from penstock.bulk_inference import output_file

    written = []
    original = output_file.prediction_logs

    def fail_at_the_second_batch(records, heads):
        written.append(records)
        if len(written) == 2:
            raise OSError("no space left")
        return original(records, heads)

    monkeypatch.setattr(output_file, "prediction_logs", fail_at_the_second_batch)
    plan = InferencePlan(model, batch_size=2)
    with pytest.raises(OSError, match="no space left"):
        infer(ExamplesSplit.all_of(examples), plan, str(tmp_path / "out"), processes=1)
    assert len(written) == 2
    assert os.listdir(tmp_path / "out") == []


def test_odd_records_keep_their_features(model, tmp_path):
    """Records of other writers: without features, with lengths written at length, in several parts."""
    from tensorflow.train import Example

    x = Example()
    x.features.feature["x"].float_list.value.append(4)
    body = x.SerializeToString()[2:]
    more = Example()
    more.features.feature["z"].int64_list.value.append(1)
    odd = [
        b"\x0a" + bytes([len(body) | 0x80, 0]) + body,
        x.SerializeToString() + more.SerializeToString(),
    ]
    (tmp_path / "Split-all").mkdir()
    with TFRecordWriter(str(tmp_path / "Split-all" / "rows.gz")) as writer:
        writer.write_all(odd)
    examples = Examples(str(tmp_path))
    examples.splits = ["all"]
    infer(ExamplesSplit.all_of(examples), InferencePlan(model, output=HALF), str(tmp_path / "out"))
    first, second = examples_of(tmp_path / "out", "all")
    assert first.features.feature["y"].float_list.value[:] == [2.0]
    assert second.features.feature["z"].int64_list.value[:] == [1]


def test_a_split_without_rows(model, tmp_path):
    examples = write_examples(tmp_path / "in", rows=0)
    for name, plan in (
        ("logs", InferencePlan(model)),
        ("parquet", InferencePlan(model, output=HALF, file_format="parquet")),
    ):
        rows = infer(ExamplesSplit.all_of(examples), plan, str(tmp_path / name))
        assert rows == {"train": 0, "eval": 0}
    assert logs_of(tmp_path / "logs") == []


@pytest.mark.parametrize(
    ("plan", "message"),
    [
        (
            {"model_spec": ModelSpec(["serve"])},
            "has no signature 'serve', which ModelSpec.model_signature_name names. Signatures: classify, "
            "halve, regress, serving_default, total",
        ),
        ({"model_spec": ModelSpec(tag=["gpu"])}, "has no graph with the tag 'gpu'. Tags: serve"),
        (
            {"model_spec": ModelSpec(["total"])},
            "The output 'sum' of the signature 'total' of the model at",
        ),
        (
            {"model_spec": ModelSpec(["serving_default", "classify"])},
            "only if each classifies or regresses; 'serving_default' predicts",
        ),
        (
            {
                "output": OutputExampleSpec(
                    [
                        OutputColumnsSpec(
                            predict_output=PredictOutput([PredictOutputCol("hlf", "y")])
                        )
                    ]
                )
            },
            "has no output 'hlf', which goes to the column 'y'. Outputs: column, double, half, ",
        ),
        (
            {
                "output": OutputExampleSpec(
                    [
                        OutputColumnsSpec(
                            predict_output=PredictOutput([PredictOutputCol("square", "y")])
                        )
                    ]
                )
            },
            "The output 'square' has the shape [2, 2] for each row, which is no list of values",
        ),
        (
            {
                "output": OutputExampleSpec(
                    [
                        OutputColumnsSpec(
                            predict_output=PredictOutput([PredictOutputCol("half", "id")])
                        )
                    ]
                )
            },
            "The examples already have a feature 'id'",
        ),
        (
            {"output": OutputExampleSpec([OutputColumnsSpec(regress_output=RegressOutput("y"))])},
            "has a regress_output, but the signature is there to predict",
        ),
    ],
)
def test_what_is_wrong_is_named(model, examples, tmp_path, plan, message):
    with pytest.raises(ValueError, match=".") as raised:
        infer([ExamplesSplit.of(examples, "eval")], InferencePlan(model, **plan), str(tmp_path))
    assert message in str(raised.value)
    assert not list(tmp_path.rglob("*.gz"))


def test_a_row_that_the_model_cannot_take(model, tmp_path):
    (tmp_path / "Split-all").mkdir()
    file = str(tmp_path / "Split-all" / "rows.gz")
    with TFRecordWriter(file) as writer:
        writer.write_all([b""])
    split = ExamplesSplit("all", [file])
    with pytest.raises(ValueError, match="failed on the rows 0 to 0: .*x.*") as raised:
        infer([split], InferencePlan(model), str(tmp_path / "out"))
    assert raised.value.__notes__ == [f"The rows are those of {file}, from 0."]


def test_no_model(examples, tmp_path, model):
    shutil.copytree(model, tmp_path / "cut")
    (tmp_path / "cut" / "variables" / "variables.index").write_bytes(b"")
    with pytest.raises(ModelError, match="is damaged"):
        infer(ExamplesSplit.all_of(examples), InferencePlan(str(tmp_path / "cut")), str(tmp_path))


def test_rows_are_counted(model, examples, tmp_path):
    (split,) = [each for each in ExamplesSplit.all_of(examples) if each.name == "eval"]
    wrong = ExamplesSplit(split.name, split.files, row_count=8)
    with pytest.raises(
        RuntimeError, match="has 8 rows according to its row_counts.json, but 7 were read"
    ):
        infer([wrong], InferencePlan(model), str(tmp_path))


def test_an_estimator(tmp_path):
    linear = pytest.importorskip("sklearn.linear_model")
    from penstock.training import export_estimator

    fitted = linear.LinearRegression().fit(np.arange(4.0)[:, None], np.arange(4.0) * 2)
    export_estimator(fitted, str(tmp_path / "model"), feature_keys=["x"])
    examples = write_examples(tmp_path / "in")
    output = OutputExampleSpec(
        [OutputColumnsSpec(predict_output=PredictOutput([PredictOutputCol("predictions", "y")]))]
    )
    splits = [ExamplesSplit.of(examples, "eval")]
    infer(splits, InferencePlan(str(tmp_path / "model"), output=output), str(tmp_path / "out"))
    got = examples_of(tmp_path / "out", "eval")[0].features.feature["y"].float_list.value
    assert got[:] == pytest.approx([6.0])


def test_beam_writes_the_same_bytes(model, examples, tmp_path):
    from penstock.beam import BeamSetup, infer_on_beam

    splits = ExamplesSplit.all_of(examples)
    for name, plan in (("logs", InferencePlan(model)), ("rows", InferencePlan(model, output=HALF))):
        local, on_beam = tmp_path / "local" / name, tmp_path / "beam" / name
        rows = infer(splits, plan, str(local))
        setup = BeamSetup(("--runner=FnApiRunner",))
        assert infer_on_beam(setup, splits, plan, str(on_beam)) == rows
        written = [path.relative_to(local) for path in local.rglob("*") if path.is_file()]
        assert {each.relative_to(on_beam) for each in on_beam.rglob("*") if each.is_file()} == set(
            written
        )
        for path in written:
            assert (local / path).read_bytes() == (on_beam / path).read_bytes()
