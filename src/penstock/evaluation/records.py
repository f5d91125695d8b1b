"""The records of an evaluation's files, whoever wrote them: Penstock, or TFMA as TFRecords or Parquet."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any, Literal

from penstock.evaluation.messages import message_class
from penstock.io import read_tfrecords

Part = Literal["metrics", "plots", "attributions", "validations"]

_MESSAGES = {
    "metrics": "MetricsForSlice",
    "plots": "PlotsForSlice",
    "attributions": "AttributionsForSlice",
    "validations": "ValidationResult",
}
# What TFMA's writer calls the one column of its Parquet files.
_PARQUET_COLUMN = "serialized_value"


def read_messages(folder: str, part: Part) -> Iterator[Any]:
    """Yield the messages of one part of an evaluation, in the order of its shards.

    Args:
        folder: An evaluation's folder.
        part: Which files: `metrics` holds `MetricsForSlice` messages, and so on.
    """
    parse = message_class(_MESSAGES[part]).FromString
    for file in record_files(folder, part):
        for record in _records(file):
            yield parse(record)


def record_files(folder: str, part: Part) -> list[Path]:
    """Return the files of one part of an evaluation; empty if it has none."""
    root = Path(folder)
    for pattern in (f"{part}-*.tfrecord", f"{part}.tfrecord", f"{part}-*.parquet"):
        if files := sorted(root.glob(pattern)):
            return files
    # Older versions of TFMA wrote no suffix.
    return sorted(file for file in root.glob(f"{part}*") if not file.suffix and file.is_file())


def _records(file: Path) -> Iterator[bytes]:
    if file.suffix != ".parquet":
        yield from read_tfrecords(str(file), compression="")
        return
    import pyarrow.parquet as pq

    for batch in pq.ParquetFile(file).iter_batches(columns=[_PARQUET_COLUMN]):
        yield from batch.column(0).to_pylist()
