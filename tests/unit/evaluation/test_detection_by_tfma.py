"""Object detection is computed by TFMA on Beam, from features and outputs of boxes."""

import numpy as np
import pyarrow as pa
import pytest

from penstock.evaluation import evaluate
from penstock.io import ExamplesWriter, split_files

pytestmark = [pytest.mark.slow, pytest.mark.tensorflow, pytest.mark.processes]

BOX = ["xmin", "ymin", "xmax", "ymax", "class_id"]


@pytest.fixture
def boxes(tmp_path):
    """Ten images with two boxes each."""
    values = {"xmin": [0.0, 0.5], "ymin": [0.0, 0.5], "xmax": [0.4, 0.9], "ymax": [0.4, 0.9]}
    columns = {
        name: pa.array([each] * 10, pa.large_list(pa.float32())) for name, each in values.items()
    }
    columns["class_id"] = pa.array([[0.0, 0.0]] * 10, pa.large_list(pa.float32()))
    columns["x"] = pa.array([[float(i)] for i in range(10)], pa.large_list(pa.float32()))
    with ExamplesWriter(str(tmp_path / "data"), ["eval"]) as writer:
        writer.write("eval", pa.RecordBatch.from_arrays(list(columns.values()), list(columns)))
    return split_files(str(tmp_path / "data"), "eval")


@pytest.fixture
def detector(tmp_path):
    """Finds the first box, and one that is not there."""
    import tensorflow as tf

    found = {"xmin": [0.0, 0.7], "ymin": [0.0, 0.0], "xmax": [0.4, 0.9], "ymax": [0.4, 0.1]}
    found |= {"class_id": [0.0, 0.0], "scores": [0.9, 0.8]}

    def detect(examples):
        count = tf.shape(
            tf.io.parse_example(examples, {"x": tf.io.FixedLenFeature([1], tf.float32)})["x"]
        )[0]
        return {name: tf.tile([value], [count, 1]) for name, value in found.items()}

    signature = [tf.TensorSpec([None], tf.string, name="examples")]
    function = tf.function(detect, signature).get_concrete_function()
    tf.saved_model.save(tf.Module(), str(tmp_path / "model"), {"serving_default": function})
    return str(tmp_path / "model")


def test_precision_and_recall_of_boxes(boxes, detector):
    stacks = (
        '"class_id": 0, "iou_threshold": 0.5, "labels_to_stack": {}, "predictions_to_stack": {}'
    )
    config = stacks.format(str(BOX).replace("'", '"'), str([*BOX, "scores"]).replace("'", '"'))
    metrics = [
        {"class_name": name, "config": config}
        for name in ("ObjectDetectionPrecision", "ObjectDetectionRecall")
    ]
    specs = [{"metrics": [*metrics, {"class_name": "ExampleCount"}]}]
    found = evaluate(
        boxes, model=detector, eval_config={"model_specs": [{}], "metrics_specs": specs}
    )
    values = {key.name: value for key, value in found.slices[0].metrics.items()}
    assert values["example_count"] == 10.0
    assert np.isclose(values["object_detection_precision"], 0.5)
    assert np.isclose(values["object_detection_recall"], 0.5)
