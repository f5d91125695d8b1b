"""Sending Python objects through a pipe, without copying their large buffers.

A message is `uint64 parts | uint64 size of each | the parts`: a pickle of protocol 5, then the buffers
that belong to it. Source of the protocol: PEP 574.
"""

from __future__ import annotations

import io
import pickle
import struct
import sys
from typing import IO, Any

Message = list[memoryview]


class _Pickler(pickle.Pickler):
    """Sends a RecordBatch as a stream; otherwise a slice would carry the whole batch."""

    def reducer_override(self, value: Any) -> Any:
        pa = sys.modules.get("pyarrow")
        if pa is None or not isinstance(value, pa.RecordBatch):
            return NotImplemented
        from penstock.io.arrow.batch_stream import batch_of, stream_of

        return batch_of, (pickle.PickleBuffer(stream_of(value)),)


def pickled(value: object) -> Message:
    """Return the message that holds an object.

    Raises:
        Exception: Of any kind, if the object cannot be pickled.
    """
    buffers: list[pickle.PickleBuffer] = []
    head = io.BytesIO()
    _Pickler(head, 5, buffer_callback=buffers.append).dump(value)
    return [memoryview(head.getvalue()), *(buffer.raw() for buffer in buffers)]


def loaded(message: Message) -> Any:
    """Return the object that a message holds."""
    return pickle.loads(message[0], buffers=message[1:])


def send(pipe: IO[bytes], message: Message) -> None:
    """Write a message."""
    sizes = [len(part) for part in message]
    pipe.write(struct.pack(f"<{len(sizes) + 1}Q", len(sizes), *sizes))
    for part in message:
        pipe.write(part)
    pipe.flush()


def _read(pipe: IO[bytes], size: int) -> memoryview:
    data = bytearray(size)  # not bytes: a NumPy array over it can then be written to
    if pipe.readinto(data) < size:  # type: ignore[attr-defined]
        raise EOFError("the pipe ended")
    return memoryview(data)


def receive(pipe: IO[bytes]) -> Message:
    """Read a message.

    Raises:
        EOFError: If the pipe ends before or within it.
    """
    (parts,) = struct.unpack("<Q", _read(pipe, 8))
    sizes = struct.unpack(f"<{parts}Q", _read(pipe, 8 * parts))
    return [_read(pipe, size) for size in sizes]
