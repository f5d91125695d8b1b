"""Applying a transform graph to the rows of splits, and writing what comes out."""

from __future__ import annotations

import contextlib
from collections import Counter
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from penstock.transform.shards import BLOCKS_WORTH_A_PROCESS, BatchObserver, SplitReader
from penstock.transform.transform_graph import WrittenGraph

if TYPE_CHECKING:
    import pyarrow as pa

    from penstock.io import ExamplesWriter
    from penstock.transform.driver import TransformFolders
    from penstock.transform.features import RawFeatures
    from penstock.transform.transformed_examples import TransformedExamples


def count_rows(readers: Sequence[SplitReader]) -> dict[str, int]:
    """Return the rows that were read of each split."""
    rows: Counter[str] = Counter()
    for reader in readers:
        if reader.rows is not None:
            rows[reader.split] += reader.rows
    return dict(rows)


def transform_splits(
    graph: WrittenGraph,
    features: RawFeatures,
    readers: Sequence[SplitReader],
    folders: TransformFolders,
    observe: BatchObserver | None,
) -> dict[str, int]:
    """Transform the rows of splits, and write them if there is a folder for them.

    Args:
        graph: the transform graph.
        features: what the schema of the raw examples says.
        readers: the rows of the splits.
        folders: `examples` is where to write, `file_format` how.
        observe: sees each transformed batch once.

    Returns:
        The rows of each split.
    """
    from penstock.io import ExamplesWriter
    from penstock.io.examples.formats import file_format_named
    from penstock.transform.features import explained_failures
    from penstock.transform.transformed_examples import TransformedExamples

    examples = TransformedExamples(graph.schema)

    def batches() -> Iterator[tuple[str, pa.RecordBatch]]:
        for reader in readers:
            for raw in reader():
                if raw.num_rows == 0:
                    continue
                with explained_failures(features, raw.num_rows):
                    tensors = graph.apply(features.tensors(raw))
                batch = examples.batch(tensors, raw.num_rows)
                if observe is not None:
                    observe(reader.split, batch)
                yield reader.split, batch

    if folders.examples is None:
        for _ in batches():
            pass
        return count_rows(readers)
    splits = list(dict.fromkeys(reader.split for reader in readers))
    with ExamplesWriter(
        folders.examples, splits, file_format=folders.file_format, name="transformed_examples"
    ) as writer:
        if not file_format_named(folders.file_format).holds_records:
            for split, batch in batches():
                writer.write(split, examples.columns(batch))
        else:
            _write_records(writer, examples, batches())
    counts = count_rows(readers)
    if writer.row_counts != counts:
        raise RuntimeError(
            f"Transform read {counts} rows per split, but wrote {writer.row_counts}."
        )
    return counts


def _write_records(
    writer: ExamplesWriter,
    examples: TransformedExamples,
    batches: Iterator[tuple[str, pa.RecordBatch]],
) -> None:
    """Serialize batches in several processes, and write them."""
    from penstock.io.processes.shard_processes import map_shards

    with contextlib.closing(
        map_shards(examples.serializer.framed, batches, at_least=BLOCKS_WORTH_A_PROCESS)
    ) as serialized:
        for split, framed in serialized:
            writer.write_framed(split, framed)
