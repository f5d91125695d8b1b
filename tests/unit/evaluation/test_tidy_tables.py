"""An evaluation as tables: what TFMA wrote, what is written here, and each kind of value."""

import shutil
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from penstock.evaluation import evaluate, load_evaluation, read_metrics, write_evaluation
from penstock.evaluation.messages import message_class
from penstock.evaluation.tidy_tables import COLUMNS
from penstock.io import TFRecordWriter, read_tfrecords

GOLDEN = Path(__file__).resolve().parents[2] / "golden"
TFMA = str(GOLDEN / "tfma/jackknife")
TFX = str(GOLDEN / "penguin/pipeline_root/Evaluator/evaluation/8")


def test_each_number_that_tfma_wrote_is_a_row_with_its_interval():
    found = load_evaluation(TFMA)
    assert list(found) == list(COLUMNS["metrics"])
    chosen = found[
        (found.metric == "auc") & (found.model == "candidate") & (found.slice == "kind=k1")
    ]
    (row,) = chosen[~chosen.is_change].to_dict("records")
    assert (row["sliced_by"], row["class_id"], row["weighted"]) == ("kind", 2, False)
    assert row["value"] == pytest.approx(0.942336, abs=1e-6)
    assert row["lower"] == pytest.approx(0.876607, abs=1e-6)
    assert row["upper"] == pytest.approx(1.008056, abs=1e-6)
    assert row["standard_error"] == pytest.approx(0.031402, abs=1e-6)
    # Arrays and structured values are one row a number.
    recall = found[(found.metric == "recall") & (found.slice == "Overall") & ~found.is_change]
    assert recall[recall.model == "candidate"]["position"].tolist() == [0.0, 1.0]
    counts = found[found.metric == "confusion_matrix_at_thresholds"]
    assert set(counts["position"]) == {0.5}
    assert {"true_positives", "recall"} <= set(counts.field)
    assert counts.lower.notna().any()
    assert set(found[found.is_change].model) == {"candidate"}
    overall = found[found.slice == "Overall"]
    assert overall.sliced_by.isna().all()


def test_a_tables_numbers_are_those_of_read_metrics():
    found = load_evaluation(TFMA)
    plain = found[found.field.isna() & found["position"].isna()]
    for key, values in read_metrics(TFMA):
        name = ", ".join(f"{column}={value}" for column, value in key) or "Overall"
        for metric, value in values.items():
            if isinstance(value, float):
                rows = plain[
                    (plain.slice == name)
                    & (plain.metric == metric.name)
                    & (plain.model == metric.model_name)
                    & (plain.is_change == metric.is_diff)
                ]
                assert rows.value.tolist() == [value]


def test_each_point_of_a_plot_is_a_row():
    found = load_evaluation(TFMA, "plots")
    assert set(found.kind) == {
        "confusion matrix",
        "calibration",
        "multi-class confusion matrix",
    }
    curve = found[(found.kind == "confusion matrix") & (found.slice == "Overall")]
    curve = curve[curve.model == "candidate"]
    assert curve.recall.iloc[0] == 1.0
    assert curve.false_positive_rate.is_monotonic_decreasing
    buckets = found[(found.kind == "calibration") & (found.slice == "Overall")]
    assert buckets[buckets.model == "baseline"].examples.sum() == 240
    cells = found[(found.kind == "multi-class confusion matrix") & (found.slice == "Overall")]
    assert cells[cells.model == "candidate"].examples.sum() == 240


def test_thresholds_are_rows_also_where_tfma_kept_those_that_failed_only():
    found = load_evaluation(TFMA, "thresholds")
    assert not found.passed.any()
    changed = found[found.kind == "change"].iloc[0]
    assert (changed["slice"], changed.absolute, changed.direction) == (
        "kind=k2",
        0.0,
        "higher is better",
    )
    assert changed.change == pytest.approx(-0.05)
    assert found[found.kind == "value"].lower.tolist() == [0.75] * 4


def test_what_tfx_wrote_and_parquet_files_are_read(tmp_path):
    (row,) = load_evaluation(TFX).to_dict("records")
    assert (row["slice"], row["metric"]) == ("Overall", "sparse_categorical_accuracy")
    shutil.copy(Path(TFX) / "eval_config.json", tmp_path)
    records = list(read_tfrecords(f"{TFX}/metrics-00000-of-00001.tfrecord", compression=""))
    table = pa.table({"serialized_value": pa.array(records, pa.binary())})
    pq.write_table(table, tmp_path / "metrics-00000-of-00001.parquet")
    assert load_evaluation(str(tmp_path)).value.tolist() == [row["value"]]


def test_every_kind_of_value_and_compared_slices_are_read(tmp_path):
    message = message_class("MetricsForSlice")()
    pair = message.cross_slice_key
    pair.baseline_slice_key.SetInParent()
    pair.comparison_slice_key.single_slice_keys.add(column="age").int64_value = 3

    def add(name):
        entry = message.metric_keys_and_values.add()
        entry.key.name = name
        return entry.value

    bounded = add("bounded").bounded_value
    bounded.value.value, bounded.lower_bound.value, bounded.upper_bound.value = 0.5, 0.4, 0.7
    t = add("t").t_distribution_value
    t.sample_mean.value, t.sample_standard_deviation.value = 0.6, 0.1
    t.sample_degrees_of_freedom.value, t.unsampled_value.value = 9, 0.61
    add("words").bytes_value = b"caf\xc3\xa9"
    add("broken").unknown_type.error = "no number"
    pairs = add("ndcg").value_at_cutoffs.values
    pairs.add(cutoff=3, value=0.25)
    pairs.add(cutoff=5).bounded_value.value.value = 0.75
    cells = add("matrix").multi_class_confusion_matrix_at_thresholds.matrices.add(threshold=0.5)
    cells.entries.add(actual_class_id=1, predicted_class_id=2, num_weighted_examples=7)
    message.metrics["__ERROR__"].debug_message = "too small"
    with TFRecordWriter(str(tmp_path / "metrics-00000-of-00001.tfrecord"), "") as writer:
        writer.write(message.SerializeToString())
    found = load_evaluation(str(tmp_path))
    assert set(found.slice) == {"Overall vs. age=3"}
    rows = {(row["metric"], row["position"] if row["position"] == row["position"] else None): row
            for row in found.to_dict("records")}  # fmt: skip
    assert (rows["bounded", None]["lower"], rows["bounded", None]["upper"]) == (0.4, 0.7)
    assert rows["t", None]["value"] == 0.61
    # The 97.5 % quantile of Student's distribution with 9 degrees of freedom is 2.262157.
    assert rows["t", None]["upper"] == pytest.approx(0.6 + 2.262157 * 0.1, abs=1e-6)
    assert rows["words", None]["note"] == "café"
    assert rows["broken", None]["note"] == "no number"
    assert (rows["ndcg", 3.0]["value"], rows["ndcg", 5.0]["value"]) == (0.25, 0.75)
    assert rows["matrix", 0.5]["field"] == "actual 1, predicted 2"
    assert rows[None, None]["note"] == "too small"


def test_without_pandas_it_is_an_arrow_table(monkeypatch):
    find_spec = __import__("importlib.util").util.find_spec
    monkeypatch.setattr(
        "importlib.util.find_spec", lambda name: None if name == "pandas" else find_spec(name)
    )
    found = load_evaluation(TFX, "thresholds")
    assert isinstance(found, pa.Table)
    assert found.column_names == list(COLUMNS["thresholds"])


def test_what_cannot_be_read_is_said(tmp_path):
    with pytest.raises(FileNotFoundError, match="no evaluation in .*neither metrics"):
        load_evaluation(str(tmp_path))
    with pytest.raises(ValueError, match="no table 'plot'. Did you mean 'plots'"):
        load_evaluation(TFX, "plot")


@pytest.mark.tensorflow
def test_what_is_written_here_is_read(files, model, worse_model, by_class, here):
    config = by_class(
        {
            "class_name": "SparseCategoricalAccuracy",
            "threshold": {
                "value_threshold": {"lower_bound": 0.99},
                "change_threshold": {"absolute": 0.0, "direction": "HIGHER_IS_BETTER"},
            },
        },
        {"class_name": "MultiClassConfusionMatrixPlot"},
        slicing_specs=[{}, {"feature_keys": ["kind", "size"]}],
    )
    evaluation = evaluate(files, model=model, baseline=worse_model, eval_config=config)
    write_evaluation(evaluation, here)
    found = load_evaluation(here)
    chosen = found[(found.slice == "Overall") & (found.model == "candidate") & ~found.is_change]
    assert chosen.value.tolist() == [evaluation.metrics()["sparse_categorical_accuracy"]]
    assert set(found.sliced_by.dropna()) == {"kind, size"}
    thresholds = load_evaluation(here, "thresholds")
    assert len(thresholds) == len(evaluation.validation.checks)
    value = thresholds[thresholds.kind == "value"].iloc[0]
    change = thresholds[thresholds.kind == "change"].iloc[0]
    assert (value["lower"], change["absolute"]) == (0.99, 0.0)
    assert np.isclose(change.value - change.baseline, change.change)
    assert "below 0.99" in value.reason
