"""One RecordBatch as an Arrow IPC stream, so that a slice carries only its own rows."""

import pyarrow as pa


def stream_of(batch: pa.RecordBatch) -> pa.Buffer:
    """Return the stream of a batch, with its schema."""
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, batch.schema) as writer:
        writer.write_batch(batch)
    return sink.getvalue()


def batch_of(stream: bytes | pa.Buffer) -> pa.RecordBatch:
    """Read the batch of a stream; the stream's bytes are not copied.

    Args:
        stream: From `stream_of`, or any other object with the same bytes.
    """
    with pa.ipc.open_stream(pa.py_buffer(stream)) as reader:
        return reader.read_next_batch()
