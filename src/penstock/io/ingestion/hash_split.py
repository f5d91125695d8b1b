"""Assigning rows to output splits by hash buckets, bit for bit as TFX does.

A row's bucket is `int(sha256(bytes).hexdigest(), 16) % total`, where `bytes` is the deterministic
serialization of the tf.Example, or of the Feature that `partition_feature_name` names.
"""

import hashlib
from collections.abc import Sequence
from typing import cast

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from penstock.io.examples.messages import feature_kind
from penstock.io.examples.serialization import serialize_feature
from penstock.io.ingestion.config import SplitConfig


def bucket_of(records: Sequence[bytes], total: int) -> npt.NDArray[np.int64]:
    """Return each record's hash bucket.

    Args:
        records: The bytes to hash, one entry per row.
        total: The number of buckets, below 2**31.

    Example:
        >>> bucket_of([b"a", b"b"], 3)
        array([1, 0])
    """
    sha256 = hashlib.sha256
    digests = np.frombuffer(b"".join([sha256(record).digest() for record in records]), np.uint8)
    # The digest is one big-endian integer; its residue is the sum of its 16-bit words' residues.
    words = digests.view(">u2").reshape(len(records), 16).astype(np.int64)
    weights = np.array([pow(2, 16 * (15 - place), total) for place in range(16)], dtype=np.int64)
    residue = np.zeros(len(records), dtype=np.int64)
    for place in range(16):
        residue = (residue + words[:, place] * weights[place]) % total
    return residue


class HashSplitter:
    """Assigns each row of a batch to an output split.

    Args:
        config: Splits with their numbers of hash buckets, in order (the order matters).

    Example:
        >>> splitter = HashSplitter(SplitConfig([Split("train", hash_buckets=2), Split("eval", 1)]))
        >>> splitter.assign(batch, serialize_examples(batch).to_pylist())
        array([0, 0, 1, 0])
    """

    def __init__(self, config: SplitConfig) -> None:
        self.names = [split.name for split in config.splits]
        self._ends = np.cumsum([split.hash_buckets for split in config.splits])
        self._feature = config.partition_feature_name

    def assign(self, batch: pa.RecordBatch, records: Sequence[bytes]) -> npt.NDArray[np.int64]:
        """Return for each row the index of its split in `names`.

        Args:
            batch: The rows.
            records: The rows' canonical serialized tf.Examples, in the same order.

        Raises:
            ValueError: If the partition feature is absent, has no kind in a row, or holds floats. (An
                empty list has one: TFX's CsvExampleGen writes it for a missing cell.)
        """
        hashed = self._partition_features(batch, records) if self._feature else records
        buckets = bucket_of(hashed, int(self._ends[-1]))
        return np.searchsorted(self._ends, buckets, side="right")

    def _partition_features(self, batch: pa.RecordBatch, records: Sequence[bytes]) -> list[bytes]:
        name = self._feature
        if name not in batch.schema.names:
            raise ValueError(
                f"partition_feature_name={name!r} is not a feature of the data. "
                f"Features: {sorted(batch.schema.names)}"
            )
        column = batch.column(batch.schema.names.index(name))
        kind = column.type.value_type if pa.types.is_nested(column.type) else column.type
        if pa.types.is_null(kind):
            raise ValueError(
                f"partition_feature_name={name!r}: the feature has no value in any row read so far."
            )
        if pa.types.is_floating(kind):
            raise ValueError(
                f"partition_feature_name={name!r} holds floats. Only bytes and int64 features can "
                f"partition data: choose another feature."
            )
        # Rows whose cell is missing are alike within a batch, and so are those with an empty list.
        is_list = pa.types.is_nested(column.type)
        empty = pc.equal(pc.list_value_length(column), 0) if is_list else column.is_null()
        for missing in (column.is_null(), empty):
            row = pc.index(missing, True).as_py()
            if row >= 0 and feature_kind(records[row], name) is None:
                raise ValueError(
                    f"partition_feature_name={name!r}: a row has no value of that feature. Choose "
                    f"a feature that every row has, or leave out the rows that lack it."
                )
        return cast("list[bytes]", serialize_feature(name, column).to_pylist())
