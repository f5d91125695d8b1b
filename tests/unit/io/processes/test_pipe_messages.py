"""Python objects through a pipe."""

import os
import pickle
import threading
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from penstock.io.processes.pipe_messages import loaded, pickled, receive, send


def _through_a_pipe(value: object) -> Any:
    reading, writing = os.pipe()
    with os.fdopen(reading, "rb") as source, os.fdopen(writing, "wb") as sink:
        sender = threading.Thread(target=send, args=(sink, pickled(value)))
        sender.start()
        arrived = loaded(receive(source))
        sender.join()
    return arrived


def test_an_array_arrives_and_can_be_written_to() -> None:
    arrived = _through_a_pipe({"counts": np.arange(5)})
    arrived["counts"][0] = 7
    assert arrived["counts"].tolist() == [7, 1, 2, 3, 4]


def test_a_slice_of_a_batch_takes_only_its_rows_along() -> None:
    batch = pa.record_batch({"name": [f"row {row}" for row in range(10_000)], "n": [[1]] * 10_000})
    message = pickled(batch.slice(4, 3))
    assert sum(map(len, message)) < 2_000
    assert loaded(message).equals(batch.slice(4, 3))


def test_large_buffers_are_not_copied_into_the_pickle() -> None:
    names = pa.array([b"x" * 1_000] * 100)
    assert len(pickled(names)[0]) < 1_000
    assert _through_a_pipe(names).equals(names)


def test_a_pipe_that_ends_within_a_message_is_an_error() -> None:
    reading, writing = os.pipe()
    with os.fdopen(reading, "rb") as source, os.fdopen(writing, "wb") as sink:
        sink.write(b"\x01\0\0")
        sink.close()
        with pytest.raises(EOFError, match="pipe ended"):
            receive(source)


def test_what_cannot_be_pickled_is_an_error() -> None:
    with pytest.raises((pickle.PicklingError, AttributeError)):
        pickled(lambda: None)
