"""One pass over the rows: blocks, predictions in threads, kernels; parts are merged in order.

Every part of `BLOCKS_A_PART` blocks has kernels of its own, so the sums are rounded alike however many
threads and processes worked on them.
"""

from __future__ import annotations

import contextlib
import itertools
from collections.abc import Callable, Generator, Iterable

from penstock.evaluation.accumulation import Accumulation
from penstock.evaluation.blocks import Block, parts_of
from penstock.evaluation.models.prediction import BatchPredictor
from penstock.io.processes.threads import in_threads


def accumulated_parts(
    blocks: Iterable[Block],
    predict: BatchPredictor,
    empty: Callable[[], Accumulation],
    threads: int,
) -> Generator[Accumulation, None, None]:
    """Yield an accumulation for each part of the blocks, in order.

    Args:
        blocks: The blocks, in order.
        predict: Makes of a block what metrics see.
        empty: Makes an accumulation that has seen nothing.
        threads: How many threads predict, ahead of this one.
    """
    numbered = ((number, block) for number, part in enumerate(parts_of(blocks)) for block in part)
    predicted = in_threads(
        lambda item: (item[0], predict(item[1])), numbered, threads if threads > 1 else 0
    )
    with contextlib.closing(predicted):
        for _, of_part in itertools.groupby(predicted, key=lambda item: item[0]):
            part = empty()
            for _, inputs in of_part:
                part.add_batch(inputs)
            yield part
