"""Shards that Beam's workers write: whole or not at all, the same bytes whoever wins a race."""

from __future__ import annotations

import json
import os
import tempfile
import uuid
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING

from penstock.artifacts import location

if TYPE_CHECKING:
    import pyarrow as pa

_EXTENSIONS = {"tfrecords_gzip": ".gz", "tfrecords": "", "parquet": ".parquet"}


def shard_url(uri: str, split: str, name: str, number: int, shards: int, file_format: str) -> str:
    """Returns the file of one shard of an Examples artifact.

    Args:
        uri: The artifact's folder.
        split: The split's name.
        name: The shards' name without their number.
        number: The shard's number, from 0.
        shards: How many shards the split has.
        file_format: "tfrecords_gzip", "tfrecords" or "parquet".

    Example:
        >>> shard_url("out", "train", "data_tfrecord", 0, 2, "tfrecords_gzip")
        'out/Split-train/data_tfrecord-00000-of-00002.gz'
    """
    file = f"{name}-{number:05d}-of-{shards:05d}{_EXTENSIONS[file_format]}"
    return f"{uri.rstrip('/')}/Split-{split}/{file}"


def write_atomically(url: str, write: Callable[[str], None]) -> None:
    """Writes a file so that nobody sees half of it, and a second attempt may come at any time.

    Args:
        url: Where the file belongs; a path or an fsspec URL. Its folder is made.
        write: Writes the content to the local path that it is given.
    """
    if location.is_local(url):
        path = location.local_path(url)
        folder, name = os.path.split(path)
        os.makedirs(folder, exist_ok=True)
        temporary = os.path.join(folder, f".{name}.{uuid.uuid4().hex}")
        try:
            write(temporary)
            os.replace(temporary, path)
        except BaseException:
            if os.path.exists(temporary):
                os.remove(temporary)
            raise
        return
    # An object appears when its upload is complete.
    with tempfile.TemporaryDirectory(prefix="penstock-shard-") as folder:
        path = os.path.join(folder, "shard")
        write(path)
        with open(path, "rb") as file:
            location.write_bytes(url, file.read())


def write_row_counts(uri: str, counts: Mapping[str, int]) -> None:
    """Writes `row_counts.json` beside the splits of an Examples artifact."""
    from penstock.io.examples_writer import ROW_COUNTS_FILE

    text = json.dumps(dict(counts), indent=1, sort_keys=True) + "\n"
    location.write_bytes(f"{uri.rstrip('/')}/{ROW_COUNTS_FILE}", text.encode())


def write_record_shard(path: str, records: Sequence[bytes], *, compress: bool = True) -> None:
    """Writes serialized records as a TFRecord file."""
    from penstock.io import TFRecordWriter

    with TFRecordWriter(path, "GZIP" if compress else "") as writer:
        if records:
            writer.write_all(records)


def write_parquet_shard(path: str, batches: Sequence[pa.RecordBatch], schema: pa.Schema) -> None:
    """Writes batches of one schema as a Parquet file."""
    import pyarrow.parquet as pq

    with pq.ParquetWriter(path, schema, compression="zstd") as writer:
        for batch in batches:
            writer.write_batch(batch)
