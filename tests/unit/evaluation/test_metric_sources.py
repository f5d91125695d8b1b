"""Metrics of other things than scores, in a real evaluation: queries, sets, texts, attributions."""

import numpy as np
import pyarrow as pa
import pytest

from penstock.evaluation import evaluate, write_evaluation
from penstock.evaluation.messages import message_class
from penstock.io import ExamplesWriter, read_tfrecords, split_files

pytestmark = pytest.mark.tensorflow

ROWS = 30


@pytest.fixture(scope="module")
def tags():
    """The classes of each row's label: one to three."""
    random = np.random.default_rng(9)
    names = [b"a", b"b", b"c", b"d"]
    return [
        random.choice(names, random.integers(1, 4), replace=False).tolist() for _ in range(ROWS)
    ]


@pytest.fixture(scope="module")
def texts_file(tags, tmp_path_factory):
    """Examples with `tags`, texts, a query, gains and a number `x`."""
    random = np.random.default_rng(8)
    root = str(tmp_path_factory.mktemp("texts"))
    columns = {
        "tags": (tags, pa.binary()),
        "text": ([[f"row {i} of many".encode()] for i in range(ROWS)], pa.binary()),
        "query": ([[f"q{i % 7}".encode()] for i in range(ROWS)], pa.binary()),
        "clicks": ([[int(value)] for value in random.integers(0, 3, ROWS)], pa.int64()),
        "x": ([[float(value)] for value in random.random(ROWS)], pa.float32()),
    }
    arrays = [pa.array(values, pa.large_list(kind)) for values, kind in columns.values()]
    with ExamplesWriter(root, ["eval"]) as writer:
        writer.write("eval", pa.RecordBatch.from_arrays(arrays, list(columns)))
    return split_files(root, "eval")


@pytest.fixture(scope="module")
def texts_model(tmp_path_factory):
    """Predicts the classes a and b, the text as it is, `x` as a score, and what `x` has to do with it."""
    import tensorflow as tf

    spec = {
        "x": tf.io.FixedLenFeature([1], tf.float32),
        "text": tf.io.FixedLenFeature([1], tf.string),
    }

    def serve(examples):
        parsed = tf.io.parse_example(examples, spec)
        count = tf.shape(parsed["x"])[0]
        return {
            "found": tf.tile([["a", "b"]], [count, 1]),
            "sureness": tf.tile([[0.9, 0.6]], [count, 1]),
            "relevance": parsed["x"],
            "copied": parsed["text"],
            "attributions/x": 2 * parsed["x"],
        }

    signature = [tf.TensorSpec([None], tf.string, name="examples")]
    path = str(tmp_path_factory.mktemp("model"))
    function = tf.function(serve, signature).get_concrete_function()
    tf.saved_model.save(tf.Module(), path, {"serving_default": function})
    return path


def evaluated(files, model, model_spec, metrics, **spec):
    specs = [{"metrics": [{"class_name": n, "config": c} for n, c in metrics.items()], **spec}]
    config = {"model_specs": [model_spec], "metrics_specs": specs}
    return evaluate(files, model=model, eval_config=config, batch_size=7)


def test_sets_of_classes(texts_file, texts_model, tags):
    keys = '"prediction_class_key": "found", "prediction_score_key": "sureness"'
    metrics = {"SetMatchPrecision": keys, "SetMatchRecall": f'"thresholds": 0.7, {keys}'}
    metrics["ExampleCount"] = ""
    found = evaluated(texts_file, texts_model, {"label_key": "tags"}, metrics).metrics()
    hits = sum(len({b"a", b"b"} & set(each)) for each in tags)
    assert found["set_match_precision"] == pytest.approx(hits / (2 * ROWS))
    sure = sum(b"a" in each for each in tags)
    assert found["set_match_recall"] == pytest.approx(sure / sum(map(len, tags)))
    assert found["example_count"] == ROWS


def test_texts(texts_file, texts_model):
    spec = {"label_key": "text", "prediction_key": "copied"}
    metrics = {"ExactMatch": "", "Bleu": "", "Rouge": '"rouge_type": "rouge1"'}
    found = evaluated(texts_file, texts_model, spec, metrics).metrics()
    assert found == {
        "exact_match": 1.0,
        "BLEU": pytest.approx(100.0),
        **{f"rouge1/{name}": 1.0 for name in ("precision", "recall", "fmeasure")},
    }


def test_queries(texts_file, texts_model):
    spec = {"label_key": "clicks", "prediction_key": "relevance"}
    metrics = {"NDCG": '"gain_key": "clicks", "top_k_list": [2]', "QueryStatistics": ""}
    metrics["MinLabelPosition"] = ""
    found = evaluated(texts_file, texts_model, spec, metrics, query_key="query").metrics()
    assert (found["total_queries"], found["total_documents"]) == (7.0, 30.0)
    assert (found["min_documents"], found["max_documents"]) == (4.0, 5.0)
    assert 0 < found["ndcg (top_k 2)"] <= 1
    assert found["min_label_position"] >= 1


def test_a_feature_of_a_metric_that_does_not_exist_is_named(texts_file, texts_model):
    spec = {"label_key": "clicks", "prediction_key": "relevance"}
    with pytest.raises(ValueError, match=r"'click' is not a feature .* Did you mean 'clicks'\?"):
        evaluated(
            texts_file,
            texts_model,
            spec,
            {"NDCG": '"gain_key": "click", "top_k_list": [2]'},
            query_key="query",
        )


def test_attributions_are_in_their_own_file(texts_file, texts_model, tmp_path):
    metrics = {"MeanAttributions": "", "TotalAbsoluteAttributions": "", "ExampleCount": ""}
    spec = {"prediction_key": "relevance"}
    found = evaluated(texts_file, texts_model, spec, metrics)
    write_evaluation(found, str(tmp_path))
    (file,) = tmp_path.glob("attributions-*")
    (record,) = read_tfrecords(str(file), compression="")
    message = message_class("AttributionsForSlice").FromString(record)
    values = {
        entry.key.name: {name: value.double_value.value for name, value in entry.values.items()}
        for entry in message.attributions_keys_and_values
    }
    assert values["mean_attributions"]["x"] * ROWS == pytest.approx(
        values["total_absolute_attributions"]["x"]
    )
    assert set(values["mean_attributions"]) == {"x"}
