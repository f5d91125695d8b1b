"""Choosing the rows that statistics look at, the same ones wherever they are computed."""

import numpy as np
import pyarrow as pa

from penstock.io.arrow.arrays import booleans

_SEED = 0


class RowSampler:
    """Keeps each row of a shard with the same probability.

    Which rows depends on the number of the shard and on the place in it: not on how it is cut into
    batches, nor on which process or engine reads it.

    Args:
        rate: The probability; None for all rows.
        shard: The shard's number in its split; what is no shard is sampled as the first one.
        first_row: How many rows of the shard come before those that will be given.

    Example:
        >>> keep = RowSampler(0.5)
        >>> kept = [keep(batch) for batch in read_record_batches(files)]
    """

    def __init__(self, rate: float | None, shard: int = 0, first_row: int = 0) -> None:
        self._rate = rate
        source = np.random.PCG64([_SEED, shard] if shard else _SEED)
        source.advance(first_row)
        self._random = np.random.Generator(source)

    def __call__(self, batch: pa.RecordBatch) -> pa.RecordBatch:
        """Return the rows of the shard's next batch that are kept."""
        if self._rate is None or self._rate >= 1:
            return batch
        return batch.filter(booleans(self._random.random(batch.num_rows) < self._rate))
