from __future__ import annotations

import glob
import math
import struct

import fsspec
import numpy as np
import pytest

from penstock.training.watch.event_file import EventFile


def records(data: bytes) -> list[bytes]:
    found = []
    while data:
        (length,) = struct.unpack("<Q", data[:8])
        found.append(data[12 : 12 + length])
        data = data[16 + length :]
    return found


@pytest.mark.tensorflow
def test_scalars_are_laid_out_as_tensorflow_writes_them(tmp_path) -> None:
    import tensorflow as tf
    from tensorboard.compat.proto import event_pb2

    values = {"epoch_loss": 0.1, "epoch_accuracy": 1e300, "epoch_nan": math.nan}
    writer = tf.summary.create_file_writer(str(tmp_path / "theirs"))
    with writer.as_default():
        for tag, value in values.items():
            value = tf.cast(tf.constant(value, tf.float64), tf.float32)
            tf.summary.scalar(tag, value, step=3)
    writer.close()
    with EventFile(str(tmp_path / "ours")) as events:
        events.add_scalars(values, step=3, wall_time=1795802038.5)

    def written(folder: str) -> list[bytes]:
        (path,) = glob.glob(f"{tmp_path}/{folder}/events.out.tfevents.*.v2")
        found = []
        # TensorFlow's own reader checks lengths and checksums.
        for record in tf.data.TFRecordDataset(path).as_numpy_iterator():
            event = event_pb2.Event.FromString(record)
            event.wall_time = 0.0
            found.append(event.SerializeToString())
        return found

    assert written("ours") == written("theirs")


def test_tensorboard_reads_scalars_and_histograms(tmp_path) -> None:
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
    from tensorboard.util.tensor_util import make_ndarray

    folder = str(tmp_path / "train")
    events = EventFile(folder)
    events.flush()
    assert not (tmp_path / "train").exists()
    events.add_scalars({"epoch_loss": 0.5}, step=0)
    events.flush()
    events.add_scalars({"epoch_loss": 0.25}, step=1)
    events.add_histogram("dense/kernel/histogram", np.arange(6.0).reshape(2, 3), step=1)
    events.flush()
    read = EventAccumulator(folder)
    read.Reload()
    assert read.Tags()["tensors"] == ["epoch_loss", "dense/kernel/histogram"]
    losses = [(e.step, float(make_ndarray(e.tensor_proto))) for e in read.Tensors("epoch_loss")]
    assert losses == [(0, 0.5), (1, 0.25)]
    (histogram,) = read.Tensors("dense/kernel/histogram")
    buckets = make_ndarray(histogram.tensor_proto)
    assert buckets[:, 2].sum() == 6
    assert (buckets[0, 0], buckets[-1, 1]) == (0.0, 5.0)


def test_at_a_url_the_file_is_whole_after_each_flush() -> None:
    events = EventFile("memory://bucket/run/train")
    try:
        for step in range(3):
            events.add_scalars({"a": float(step)}, step)
            events.flush()
        data = fsspec.filesystem("memory").cat_file(events.path)
        assert len(records(data)) == 4
        assert b"brain.Event:2" in records(data)[0]
    finally:
        fsspec.filesystem("memory").store.clear()
