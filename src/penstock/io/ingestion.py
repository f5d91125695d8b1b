"""From input rows to the split folders of an Examples artifact, with every row accounted for."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import NamedTuple

import pyarrow as pa

from penstock.io.arrow_arrays import booleans
from penstock.io.broken_rows import Quarantine
from penstock.io.example_gen_config import Output
from penstock.io.example_serialization import MissingAs, serialize_examples
from penstock.io.examples_writer import ExamplesWriter
from penstock.io.hash_split import HashSplitter

__all__ = ["Rows", "output_splits", "write_examples"]


class Rows(NamedTuple):
    """Some input rows: as a batch, and as canonical serialized records.

    Args:
        batch: The rows as columns.
        records: The same rows serialized, in the same order.
    """

    batch: pa.RecordBatch
    records: Sequence[bytes]

    @classmethod
    def of_batches(
        cls, batches: Iterable[pa.RecordBatch], missing: MissingAs = "empty"
    ) -> "Iterator[Rows]":
        """Serializes batches as tf.Examples; `missing` says what a null cell becomes."""
        for batch in batches:
            yield cls(batch, serialize_examples(batch, missing=missing).to_pylist())


def output_splits(input_splits: Sequence[str], output: Output) -> list[str]:
    """Returns the names of the output's splits.

    Raises:
        ValueError: If several input splits are to be divided by hash buckets.
    """
    names = [split.name for split in output.split_config.splits]
    if names and len(input_splits) > 1:
        raise ValueError(
            f"Hash buckets divide one input split. Received: {len(input_splits)} input splits "
            f"{list(input_splits)} and output splits {names}. Leave the output splits out to keep "
            f"those of the input."
        )
    return names or list(input_splits)


def write_examples(
    rows_by_split: Mapping[str, Iterable[Rows]],
    output: Output,
    uri: str,
    file_format: str = "tfrecords_gzip",
    *,
    num_shards: int | None = None,
    quarantine: Quarantine | None = None,
) -> dict[str, int]:
    """Writes rows to the output's splits and checks that none got lost.

    Args:
        rows_by_split: The rows of each input split.
        output: How to divide them.
        uri: The folder of the Examples artifact.
        file_format: "tfrecords_gzip", "tfrecords" or "parquet".
        num_shards: How many shards a split gets; by default as many as its size asks for.
        quarantine: Where broken rows go, if the readers were given it; their number is written into
            `row_counts.json`.

    Returns:
        The number of rows of each output split.

    Raises:
        ValueError: If no row came in.
        RuntimeError: If fewer or more rows were written than came in.
    """
    config = output.split_config
    rows_in = 0
    with ExamplesWriter(
        uri,
        output_splits(list(rows_by_split), output),
        file_format=file_format,
        num_shards=num_shards,
    ) as writer:
        splitter = HashSplitter(config) if config.splits else None
        for input_split, parts in rows_by_split.items():
            for rows in parts:
                rows_in += rows.batch.num_rows
                if splitter is None:
                    _write(writer, input_split, rows, file_format)
                else:
                    _divide(writer, splitter, rows, file_format)
        if quarantine is not None:
            writer.quarantined = quarantine.rows
    rows_out = sum(writer.row_counts.values())
    if rows_in != rows_out:
        raise RuntimeError(f"{rows_in} rows came in and {rows_out} were written to {uri}.")
    if not rows_in:
        broken = f" {quarantine.rows} were broken." if quarantine and quarantine.rows else ""
        raise ValueError(f"There was no row to write to {uri}.{broken} Look at the input.")
    return writer.row_counts


def _write(writer: ExamplesWriter, split: str, rows: Rows, file_format: str) -> None:
    if file_format == "parquet":
        writer.write(split, rows.batch)
    else:
        writer.write_records(split, rows.records)


def _divide(writer: ExamplesWriter, splitter: HashSplitter, rows: Rows, file_format: str) -> None:
    places = splitter.assign(rows.batch, rows.records)
    for place, split in enumerate(splitter.names):
        chosen = places == place
        if not chosen.any():
            continue
        if file_format == "parquet":
            writer.write(split, rows.batch.filter(booleans(chosen)))
        else:
            kept = [
                record for record, keep in zip(rows.records, chosen.tolist(), strict=True) if keep
            ]
            writer.write_records(split, kept)
