"""The same batches as a `tf.data.Dataset`."""

import dataclasses
import itertools
import subprocess
import sys
import warnings

import numpy as np
import pytest

from .conftest import ids_of

pytestmark = pytest.mark.tensorflow


def ids(elements) -> list[int]:
    return ids_of([({"id": each[0]["id"].numpy()},) for each in elements])


def test_the_elements_are_the_same_in_the_same_order(fn_args):
    import tensorflow as tf

    batches = fn_args.dataset("train", batch_size=32, label_key="label", weight_key="weight")
    dataset = batches.as_tf_dataset()
    assert int(dataset.cardinality()) == 16
    spec = dataset.element_spec
    assert spec[0]["pair"] == tf.TensorSpec([None, 2], tf.float32)
    assert spec[0]["kind"] == tf.TensorSpec([None, 1], tf.string)
    assert spec[0]["words"] == tf.SparseTensorSpec([None, None], tf.string)
    assert spec[2] == tf.TensorSpec([None], tf.float32)
    for epoch in range(2):
        for given, expected in zip(dataset, batches.epoch(epoch), strict=True):
            for name in ("id", "pair", "kind"):
                np.testing.assert_array_equal(given[0][name].numpy(), expected[0][name])
            words = tf.RaggedTensor.from_sparse(given[0]["words"]).to_list()
            assert words == expected[0]["words"].to_list()
            np.testing.assert_array_equal(given[1].numpy(), expected[1])
            np.testing.assert_array_equal(given[2].numpy(), expected[2])


def test_it_begins_where_it_is_told(parquet):
    parquet.train_steps = 100
    batches = parquet.dataset("train", batch_size=100, features=["id"])
    found = list(itertools.islice(batches.as_tf_dataset(first_epoch=2, first_step=4), 3))
    assert ids(found[:2]) == ids_of(batches.epoch(2, 4))
    assert ids(found[2:]) == ids_of(itertools.islice(batches.epoch(3), 1))
    import tensorflow as tf

    assert int(batches.as_tf_dataset().cardinality()) == tf.data.INFINITE_CARDINALITY
    rest = batches.once().as_tf_dataset(first_epoch=2, first_step=4)
    assert ids(rest) == ids_of(batches.epoch(2, 4))
    assert ids(rest) == ids_of(batches.epoch(3))


def test_ragged_features_are_ragged_if_the_schema_says_so(parquet, tmp_path):
    import tensorflow as tf

    from .conftest import SCHEMA

    path = tmp_path / "schema.pbtxt"
    path.write_text(SCHEMA + "represent_variable_length_as_ragged: true")
    parquet.schema_path = str(path)
    batches = parquet.dataset("eval", batch_size=120, features=["words"])
    ((features,),) = batches.as_tf_dataset()
    assert isinstance(features["words"], tf.RaggedTensor)
    assert features["words"].to_list()[:3] == [[b"w6"], [b"w0"] * 2, []]


def test_a_shard_is_its_part_of_the_batch(parquet):
    shard = parquet.dataset("train", batch_size=100, features=["id"]).shard(1, 2)
    dataset = shard.as_tf_dataset()
    assert ids(dataset) == ids_of(shard.epoch(0))
    assert int(dataset.cardinality()) == shard.steps_per_epoch == 6


def test_the_batch_is_in_the_shape_where_none_is_shorter(parquet):
    batches = parquet.dataset("train", batch_size=100, drop_remainder=True)
    assert batches.as_tf_dataset().element_spec[0]["pair"].shape == (100, 2)
    assert batches.shard(0, 2).as_tf_dataset().element_spec[0]["pair"].shape == (50, 2)
    assert ids(batches.as_tf_dataset()) == ids_of(batches.epoch(0))


def test_stacks_of_every_size_hold_the_batches_in_order(parquet, monkeypatch):
    from penstock.training.input import stacks

    monkeypatch.setattr(stacks, "_STACK_BYTES", 3_000)
    monkeypatch.setattr(stacks, "_TAKEN_BYTES", 1_000)
    batches = parquet.dataset("train", batch_size=7, features=["id", "words"])
    batches.order = dataclasses.replace(batches.order, window_bytes=8_000)
    kept = list(batches.as_tf_dataset())  # memory in use is not used again
    assert ids(kept) == ids_of(batches.epoch(0))


def test_several_labels_are_a_dict(parquet):
    batches = parquet.dataset("eval", batch_size=7, label_key=["label", "kind"], features=["id"])
    given = next(iter(batches.as_tf_dataset()))
    expected = next(batches.epoch(0))
    assert sorted(given[1]) == sorted(expected[1]) == ["kind", "label"]
    assert given[1]["kind"].numpy().tolist() == expected[1]["kind"].tolist()


def test_kerass_fit_takes_every_form(parquet):
    import keras

    def fitted(data, **options):
        keras.utils.set_random_seed(0)
        inputs = {"pair": keras.Input((2,), name="pair")}
        scaled = keras.layers.Rescaling(1e-3)(inputs["pair"])
        model = keras.Model(inputs, keras.layers.Dense(1, activation="sigmoid")(scaled))
        model.compile("sgd", "binary_crossentropy", weighted_metrics=["accuracy"])
        with warnings.catch_warnings():
            warnings.simplefilter("error", UserWarning)
            history = model.fit(data, epochs=2, verbose=0, shuffle=False, **options).history
        return history["loss"]

    chosen = {"label_key": "label", "weight_key": "weight", "features": ["pair"]}
    batches = parquet.dataset("train", batch_size=32, **chosen)
    validation = parquet.dataset("eval", batch_size=32, **chosen)
    losses = fitted(batches.as_tf_dataset(), validation_data=validation.as_tf_dataset())
    endless = fitted(iter(batches.repeat()), steps_per_epoch=16)
    assert endless == pytest.approx(losses)
    assert fitted(batches.repeat().as_tf_dataset(), steps_per_epoch=16) == pytest.approx(losses)


@pytest.mark.processes
def test_a_process_may_end_while_it_reads(written):
    """Python cannot end threads that are in C++: it hangs or aborts. Nor can they come back to it."""
    fn_args = written["tfrecords_gzip"]
    program = f"""
import time
from penstock.training import FnArgs
fn_args = FnArgs(train_files={fn_args.train_files!r}, schema_path={fn_args.schema_path!r})
batches = fn_args.dataset("train", batch_size=1, cache=False).repeat()
import dataclasses
batches.order = dataclasses.replace(batches.order, window_bytes=1)
from penstock.training.input.stacks import BatchStacks
stacks_of = BatchStacks.of
def slowly(*args):
    for stack in stacks_of(*args):
        time.sleep(PAUSE)
        yield stack
BatchStacks.of = slowly
arrays, dataset = iter(batches), iter(batches.as_tf_dataset())
for _ in range(3):
    next(arrays), next(dataset)
print("done")
"""
    for pause in ("0", "0.5"):
        done = subprocess.run(
            [sys.executable, "-c", program.replace("PAUSE", pause)],
            capture_output=True,
            text=True,
            timeout=120,
        )
        assert (done.returncode, done.stdout) == (0, "done\n"), done.stderr
