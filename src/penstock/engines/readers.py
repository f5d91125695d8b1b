"""Picklable functions that read the files of a split, for processes and Beam's workers."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from penstock.data_validation.statistics.shard_parts import ExamplesReader
    from penstock.data_validation.stats_options import StatsOptions
    from penstock.io import ExamplesSplit


def examples_reader(split: ExamplesSplit, options: StatsOptions) -> ExamplesReader:
    """Return what reads files of a split's formats as RecordBatches."""
    from penstock.data_validation.statistics.shard_parts import ExamplesReader
    from penstock.io.examples.reader import DEFAULT_BATCH_SIZE

    return ExamplesReader(
        file_format=split.file_format,
        payload_format=split.payload_format,
        schema=options.schema if options.infer_type_from_schema else None,
        batch_size=options.desired_batch_size or DEFAULT_BATCH_SIZE,
    )


def serialized_examples(split: ExamplesSplit) -> Callable[[Sequence[str]], Iterator[bytes]]:
    """Return what yields the serialized tf.Examples of files of a split's format."""
    return functools.partial(_serialized_examples, split.file_format)


def _serialized_examples(file_format: str, files: Sequence[str]) -> Iterator[bytes]:
    from penstock.io import read_record_batches, read_tfrecords, serialize_examples
    from penstock.io.examples.formats import file_format_named

    compression = file_format_named(file_format).compression
    if compression is None:
        for batch in read_record_batches(files, file_format=file_format):
            yield from serialize_examples(batch, missing="absent").to_pylist()
    else:
        for file in files:
            yield from read_tfrecords(file, compression=compression)
