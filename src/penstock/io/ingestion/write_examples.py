"""Writing input rows to the split folders of an Examples artifact, with every row accounted for."""

import contextlib
from collections.abc import Callable, Generator, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from penstock.artifacts.standard import DEFAULT_FILE_FORMAT
from penstock.io.arrow.arrays import booleans
from penstock.io.examples.rows import RowBlocks, Rows, WrongGuessError
from penstock.io.examples.writer import ExamplesWriter
from penstock.io.ingestion.broken_rows import Quarantine
from penstock.io.ingestion.config import Output, SplitConfig
from penstock.io.ingestion.hash_split import HashSplitter
from penstock.io.processes.shard_processes import map_shards
from penstock.io.tfrecord.framing import frame_records
from penstock.progress import report

__all__ = ["Rows", "check_rows_written", "output_splits", "write_examples"]

# Fewer blocks are done before another process has started.
_BLOCKS_WORTH_A_PROCESS = 4


def output_splits(input_splits: Sequence[str], output: Output) -> list[str]:
    """Return the names of the output's splits.

    Raises:
        ValueError: If several input splits would be divided by hash buckets.
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
    file_format: str = DEFAULT_FILE_FORMAT,
    *,
    num_shards: int | None = None,
    quarantine: Quarantine | None = None,
) -> dict[str, int]:
    """Write rows to the output's splits and check that none got lost.

    Args:
        rows_by_split: The rows of each input split.
        output: How to divide the rows.
        uri: The folder of the Examples artifact.
        file_format: "tfrecords_gzip", "tfrecords" or "parquet".
        num_shards: How many shards a split gets; by default as many as its size requires.
        quarantine: The quarantine that the readers were given, if any; its number of rows is
            written into `row_counts.json`.

    Returns:
        The number of rows of each output split.

    Raises:
        ValueError: If there were no input rows.
        RuntimeError: If fewer or more rows were written than read.
    """
    splits = output_splits(list(rows_by_split), output)
    divide = _Divide(output.split_config, file_format)

    def write(guess: bool) -> tuple[int, dict[str, int]]:
        divided = {split: _divided(rows, divide, guess) for split, rows in rows_by_split.items()}
        with ExamplesWriter(uri, splits, file_format=file_format, num_shards=num_shards) as writer:
            rows_in = _write_divided(writer, divided, file_format)
            if quarantine is not None:
                writer.quarantined = quarantine.rows
        return rows_in, writer.row_counts

    all_guess = all(isinstance(rows, RowBlocks) and rows.guess for rows in rows_by_split.values())
    try:
        rows_in, counts = write(all_guess)
    except WrongGuessError:
        rows_in, counts = write(False)
    check_rows_written(rows_in, counts, uri, quarantine)
    return counts


def check_rows_written(
    rows_in: int, counts: Mapping[str, int], uri: str, quarantine: Quarantine | None
) -> None:
    """Check that there were rows and that none got lost.

    Args:
        rows_in: How many were read.
        counts: How many were written to each split.
        uri: The folder, for the message.
        quarantine: The quarantine of the broken rows, if any.

    Raises:
        ValueError: If there were no input rows.
        RuntimeError: If fewer or more rows were written than read.
    """
    rows_out = sum(counts.values())
    if rows_in != rows_out:
        raise RuntimeError(f"{rows_in} rows came in and {rows_out} were written to {uri}.")
    if not rows_in:
        broken = f" {quarantine.rows} were broken." if quarantine and quarantine.rows else ""
        raise ValueError(f"There were no rows to write to {uri}.{broken} Check the input.")


@dataclass(frozen=True)
class _Divided:
    """Some rows, divided into output splits: as framed records or, for Parquet, as a batch.

    A split is None if the rows stay in the input's split.
    """

    rows: int
    parts: Sequence[tuple[str | None, Any]]


@dataclass(frozen=True)
class _Divide:
    """Divides rows into output splits."""

    config: SplitConfig
    file_format: str

    def __call__(self, rows: Rows) -> _Divided:
        count = rows.batch.num_rows
        whole = rows.batch if self.file_format == "parquet" else frame_records(rows.records)
        if not self.config.splits:
            return _Divided(count, [(None, whole)])
        splitter = HashSplitter(self.config)
        places = splitter.assign(rows.batch, rows.records)
        chosen = [(split, places == place) for place, split in enumerate(splitter.names)]
        parts = [(split, whole.filter(booleans(kept))) for split, kept in chosen if kept.any()]
        return _Divided(count, parts)


@dataclass(frozen=True)
class _DivideBlock:
    """Makes rows from a block and divides them."""

    to_rows: Callable[[Any], Rows]
    divide: _Divide

    def __call__(self, block: Any) -> _Divided:
        return self.divide(self.to_rows(block))


def _divided(rows: Iterable[Rows], divide: _Divide, guess: bool) -> Generator[_Divided, None, None]:
    if not isinstance(rows, RowBlocks):
        yield from map(divide, rows)
        return
    to_rows, blocks = rows.guess() if guess and rows.guess else rows.read()
    yield from map_shards(_DivideBlock(to_rows, divide), blocks, at_least=_BLOCKS_WORTH_A_PROCESS)


def _write_divided(
    writer: ExamplesWriter,
    divided: Mapping[str, Generator[_Divided, None, None]],
    file_format: str,
) -> int:
    """Write the parts where they belong; return how many rows there were to write."""
    write = writer.write if file_format == "parquet" else writer.write_framed
    rows_in = 0
    for input_split, blocks in divided.items():
        with contextlib.closing(blocks):  # ends its processes where writing fails
            for block in blocks:
                rows_in += block.rows
                report(rows_in)
                for split, part in block.parts:
                    write(split or input_split, part)
    return rows_in
