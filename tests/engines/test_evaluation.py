"""An evaluation on Beam's workers gives what it gives on this machine."""

from __future__ import annotations

import functools

import numpy as np
import pyarrow as pa
import pytest

from penstock.beam import BeamSetup, accumulate_on_beam
from penstock.evaluation import evaluate
from penstock.io import ExamplesWriter, split_files

pytestmark = pytest.mark.tensorflow

CONFIG = {
    "model_specs": [{"label_key": "tall", "example_weight_key": "rings"}],
    "slicing_specs": [{}, {"feature_keys": ["kind"]}],
    "metrics_specs": [
        {
            "metrics": [
                {"class_name": name}
                for name in (
                    "AUC",
                    "BinaryAccuracy",
                    "MeanLabel",
                    "ExampleCount",
                    "CalibrationPlot",
                )
            ]
        }
    ],
}


@pytest.fixture(scope="module")
def files(tmp_path_factory) -> list[str]:
    """Three shards of trees."""
    found = []
    for shard, rows in enumerate([500, 1, 300]):
        random = np.random.default_rng(shard)
        height = random.normal(size=rows).astype(np.float32)
        kinds = [[f"k{kind}".encode()] for kind in random.integers(0, 4, rows)]
        columns = {
            "height": pa.array([[float(h)] for h in height], pa.large_list(pa.float32())),
            "tall": pa.array([[int(h > 0.3)] for h in height], pa.large_list(pa.int64())),
            "rings": pa.array([[float(r)] for r in random.integers(0, 5, rows)]),
            "kind": pa.array(kinds, pa.large_list(pa.binary())),
        }
        folder = str(tmp_path_factory.mktemp("trees"))
        with ExamplesWriter(folder, ["eval"]) as writer:
            writer.write("eval", pa.RecordBatch.from_pydict(columns))
        found += split_files(folder, "eval")
    return found


@pytest.fixture(scope="module")
def model(tmp_path_factory) -> str:
    """A SavedModel that scores by height."""
    import tensorflow as tf

    @tf.function(input_signature=[tf.TensorSpec([None], tf.string, name="examples")])
    def serve(examples):
        spec = {"height": tf.io.FixedLenFeature([1], tf.float32)}
        return {"scores": tf.sigmoid(tf.io.parse_example(examples, spec)["height"])}

    path = str(tmp_path_factory.mktemp("model"))
    tf.saved_model.save(tf.Module(), path, {"serving_default": serve})
    return path


def test_equal_to_the_local_answer(engine, files, model, tmp_path):
    on_beam = functools.partial(
        accumulate_on_beam, BeamSetup(engine), exchange_folder=str(tmp_path)
    )
    here = evaluate(files, model=model, eval_config=CONFIG)
    there = evaluate(files, model=model, eval_config=CONFIG, accumulate=on_beam)
    assert here.num_examples == there.num_examples == 801
    assert len(here.slices) == 5
    for one, other in zip(here.slices, there.slices, strict=True):
        assert (one.key, one.num_examples) == (other.key, other.num_examples)
        assert one.metrics == pytest.approx(other.metrics, rel=1e-12, nan_ok=True)
        for key, plot in one.plots.items():
            for name, column in vars(plot).items():
                np.testing.assert_allclose(column, vars(other.plots[key])[name], rtol=1e-12)
    assert not list(tmp_path.iterdir())
