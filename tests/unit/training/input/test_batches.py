"""Which rows come in which batch: permutations, shards, seeking, in memory and not."""

import dataclasses
import itertools
import os
import subprocess
import sys

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from .conftest import ROWS, ids_of

TRAIN, EVAL = ROWS["train"], ROWS["eval"]


def test_a_batch_holds_arrays_of_the_schemas_shapes(fn_args):
    batches = fn_args.dataset("eval", batch_size=16, label_key="label", weight_key="weight")
    features, labels, weights = next(batches.epoch(0))
    assert sorted(features) == ["id", "kind", "pair", "words"]
    found = {name: (each.dtype, each.shape) for name, each in features.items() if name != "words"}
    assert found == {
        "id": (np.int64, (16, 1)),
        "pair": (np.float32, (16, 2)),
        "kind": (object, (16, 1)),
    }
    assert features["id"][:, 0].tolist() == EVAL[:16]
    assert features["pair"][3].tolist() == [501.5, -1003]
    assert features["kind"][3, 0] == b"kind 3"
    assert features["words"].to_list()[:3] == [[b"w6"], [b"w0"] * 2, []]
    assert (labels.dtype, labels[:3].tolist()) == (np.int64, [[0], [1], [0]])
    assert (weights.dtype, weights[:3].tolist()) == (np.float32, [1, 2, 3])


def test_each_epoch_is_another_permutation_of_all_rows(fn_args):
    batches = fn_args.dataset("train", batch_size=32)
    epochs = [ids_of(batches.epoch(number)) for number in range(3)]
    assert all(sorted(epoch) == TRAIN for epoch in epochs)
    assert epochs[0] != epochs[1] != epochs[2] != TRAIN
    assert (batches.num_rows, batches.steps_per_epoch) == (503, 16)
    again = fn_args.dataset("train", batch_size=32, cache=False)
    assert [ids_of(again.epoch(number)) for number in range(3)] == epochs
    assert ids_of(fn_args.dataset("train", batch_size=32, seed=6).epoch(0)) != epochs[0]
    assert not again.is_in_memory
    assert batches.is_in_memory


def test_each_pass_is_the_next_epoch(parquet):
    batches = parquet.dataset("train", batch_size=100)
    assert ids_of(batches) == ids_of(batches.epoch(0))
    assert ids_of(batches) == ids_of(batches.epoch(1))


def test_with_a_number_of_steps_training_data_has_no_end(parquet):
    parquet.train_steps = 10
    batches = parquet.dataset("train", batch_size=100)
    first = list(itertools.islice(iter(batches), 13))
    assert ids_of(first[:6]) == ids_of(batches.epoch(0))
    assert ids_of(first[6:12]) == ids_of(batches.epoch(1))
    assert not parquet.dataset("eval").repeats
    assert ids_of(batches.once()) == ids_of(batches.epoch(0))


@settings(max_examples=25, deadline=None)
@given(
    batch=st.integers(1, 120),
    count=st.integers(1, 5),
    window=st.integers(1, 400),
    drop=st.booleans(),
    shuffle=st.booleans(),
    epoch=st.integers(0, 3),
    data=st.data(),
)
def test_shards_are_the_batch_and_seeking_skips(
    written, batch, count, window, drop, shuffle, epoch, data
):
    """The rows of all shards of a batch are the batch, wherever windows end."""
    args = written[data.draw(st.sampled_from(["parquet", "tfrecords"]))]
    whole = args.dataset(
        "train", batch_size=batch * count, drop_remainder=drop, shuffle=shuffle, features=["id"]
    )
    if drop and batch * count > len(TRAIN):
        with pytest.raises(ValueError, match="fewer than a batch"):
            next(whole.epoch(epoch))
        return
    row_bytes = whole.parts.row_bytes
    whole.order = dataclasses.replace(whole.order, window_bytes=window * row_bytes)
    steps = [ids_of([each]) for each in whole.epoch(epoch)]
    assert len(steps) == whole.steps_per_epoch
    assert [len(each) for each in steps[:-1]] == [batch * count] * (len(steps) - 1)
    seen = list(itertools.chain(*steps))
    if shuffle or not drop:
        assert len(seen) == len(set(seen))
    assert sorted(seen) == TRAIN if not drop else set(seen) <= set(TRAIN)
    if not shuffle:
        assert seen == TRAIN[: len(seen)]
    shards = [
        [ids_of([each]) for each in whole.shard(index, count).epoch(epoch)]
        for index in range(count)
    ]
    for number, step in enumerate(steps):
        parts = [shard[number] for shard in shards]
        assert list(itertools.chain(*parts)) == step
        assert max(map(len, parts)) - min(map(len, parts)) <= 1
        if len(step) == batch * count:
            assert {len(part) for part in parts} == {batch}
    first = data.draw(st.integers(0, len(steps) - 1))
    assert [ids_of([each]) for each in whole.epoch(epoch, first)] == steps[first:]


def test_what_does_not_fit_is_read_again_and_comes_in_the_same_order(fn_args):
    small = fn_args.dataset("train", batch_size=10, cache=8_000)
    large = fn_args.dataset("train", batch_size=10)
    for number in range(2):
        assert ids_of(small.epoch(number)) == ids_of(large.epoch(number))
    assert 0 < small.parts.kept_bytes <= 8_000
    assert not small.is_in_memory


def test_two_passes_at_once_each_give_every_row(fn_args):
    batches = fn_args.dataset("train", batch_size=10, prefetch=False)
    batches.order = dataclasses.replace(batches.order, window_bytes=1)
    slow = batches.epoch(0)
    first = [next(slow)]
    expected = ids_of(batches.epoch(1))  # now all is in memory
    assert batches.is_in_memory
    assert ids_of(batches.epoch(1)) == expected
    assert sorted(ids_of([*first, *slow])) == TRAIN


def test_a_batch_may_be_changed_without_changing_the_data(parquet):
    batches = parquet.dataset("eval", batch_size=120, features=["id", "words"])
    ((features,),) = batches.epoch(0)
    features["id"][:] = 0
    features["words"].values[:] = b"x"
    ((again,),) = batches.epoch(1)
    assert again["id"][:, 0].tolist() == EVAL
    assert again["words"].to_list()[0] == [b"w6"]


def test_a_reader_that_is_left_ends_its_thread(parquet):
    import threading

    batches = parquet.dataset("train", batch_size=1)
    batches.order = dataclasses.replace(batches.order, window_bytes=1)
    before = set(threading.enumerate())
    reading = batches.epoch(0)
    next(reading)
    (started,) = set(threading.enumerate()) - before
    reading.close()
    assert not started.is_alive()


def test_shards_that_cannot_be_are_refused(parquet):
    batches = parquet.dataset("train", batch_size=10)
    with pytest.raises(ValueError, match="10 rows does not divide between 3 workers.*such as 12"):
        batches.shard(0, 3)
    with pytest.raises(ValueError, match="index is 0 to 1. Received: index=2"):
        batches.shard(2, 2)
    with pytest.raises(ValueError, match="are shard 1 of 2 already"):
        batches.shard(1, 2).shard(0, 5)


def test_kerass_fit_on_jax_takes_an_iterator(written):
    fn_args = written["parquet"]
    program = f"""
import sys
import keras
from penstock.training import FnArgs
fn_args = FnArgs(train_files={fn_args.train_files!r}, schema_path={fn_args.schema_path!r},
                 file_format="parquet", distribution="none", backend="jax")
train = fn_args.dataset("train", batch_size=32, label_key="label", features=["pair"])
inputs = {{"pair": keras.Input((2,), name="pair")}}
scaled = keras.layers.Rescaling(1e-3)(inputs["pair"])
model = keras.Model(inputs, keras.layers.Dense(1, activation="sigmoid")(scaled))
model.compile("sgd", "binary_crossentropy")
history = model.fit(
    iter(train.repeat()), steps_per_epoch=train.steps_per_epoch, epochs=2, verbose=0, shuffle=False
).history
print(keras.backend.backend(), "tensorflow" in sys.modules, len(history["loss"]), history["loss"][1] < 1)
"""
    done = subprocess.run(
        [sys.executable, "-c", program],
        capture_output=True,
        text=True,
        env=os.environ | {"KERAS_BACKEND": "jax"},
    )
    assert done.stdout == "jax False 2 True\n", done.stderr
