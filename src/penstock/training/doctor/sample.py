"""A bounded sample of the rows that a model trains on, as NumPy columns by name."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from penstock.training.doctor.sources import Source, source_of

if TYPE_CHECKING:
    import numpy as np

    Columns = dict[str, np.ndarray]

MOST_ROWS = 10_000
_MOST_BYTES = 64 << 20
_MOST_SECONDS = 2.0
"""A slow input, such as one that decodes images, is looked at for this long."""


@dataclass(frozen=True)
class Sample:
    """The first rows of some data.

    Args:
        features: Dense features by name, rows first; what is sparse or ragged is left out.
        labels: Labels by name; by "" if there is one output.
        first: The first batch as it came: `(x,)`, `(x, y)` or `(x, y, weights)`.
        odd: The first batch with a feature that is NaN or infinite; None if there is none.
        num_rows: Rows in the sample.
        is_whole: Whether these are all rows.
        is_in_order: Whether the rows come in the order in which the model sees them.
        rows_of_epoch: Rows of the whole data; None if that is not known.
        batch_size: Rows of the first batch; None if the data come as arrays, which `fit` cuts.
    """

    features: Columns
    labels: Columns
    first: tuple[Any, ...]
    odd: tuple[Any, ...] | None
    num_rows: int
    is_whole: bool
    is_in_order: bool
    rows_of_epoch: int | None
    batch_size: int | None

    @property
    def rows(self) -> str:
        """The rows looked at, in words."""
        return (
            f"all {self.num_rows:,} rows" if self.is_whole else f"the first {self.num_rows:,} rows"
        )


def sample(data: Any, input_names: Sequence[str] = (), most_rows: int = MOST_ROWS) -> Sample | None:
    """Return a sample of data, or None where looking would use the data up.

    It ends after 10,000 rows, 64 MiB or two seconds, whichever is first.

    Args:
        data: See `source_of`.
        input_names: Names of the model's inputs, for features that come as arrays without names.
        most_rows: Rows to read at most.
    """
    source = source_of(data)
    if source is None:
        return None
    batches, is_whole = _first_batches(source, most_rows)
    if not batches:
        return None
    columns = [_columns(batch, input_names) for batch in batches]
    features = _joined([each[0] for each in columns])
    labels = _joined([each[1] for each in columns])
    num_rows = max((len(each) for each in [*features.values(), *labels.values()]), default=0)
    return Sample(
        features=features,
        labels=labels,
        first=batches[0],
        odd=next((b for b, (x, _) in zip(batches, columns, strict=True) if _is_odd(x)), None),
        num_rows=num_rows,
        is_whole=is_whole,
        is_in_order=source.is_in_order,
        rows_of_epoch=num_rows if is_whole else source.num_rows,
        batch_size=source.batch_size or (_rows(columns[0]) if source.is_in_order else None),
    )


def _first_batches(source: Source, most_rows: int) -> tuple[list[tuple[Any, ...]], bool]:
    """Return the first batches, and whether there are no others."""
    batches: list[tuple[Any, ...]] = []
    rows = size = 0
    end = time.monotonic() + _MOST_SECONDS
    # An endless dataset never ends by itself: its rows are more than those of an epoch.
    most_rows = min(most_rows, source.num_rows or most_rows)
    for batch in _closing(source.batches):
        batches.append(tuple(batch))
        arrays = [values for _, values in _named(batch, ())]
        rows += len(arrays[0]) if arrays else 0
        size += sum(values.nbytes for values in arrays)
        if rows >= most_rows or size >= _MOST_BYTES or time.monotonic() > end:
            return batches, rows == source.num_rows
    return batches, True


def _closing(batches: Iterator[Any]) -> Iterator[Any]:
    try:
        yield from batches
    finally:
        close = getattr(batches, "close", None)
        if close is not None:
            close()


def columns_of(batch: Sequence[Any], input_names: Sequence[str] = ()) -> tuple[Columns, Columns]:
    """Return the features and the labels of a batch by name."""
    return _columns(batch, input_names)


def _columns(batch: Sequence[Any], input_names: Sequence[str]) -> tuple[Columns, Columns]:
    features = dict(_named(batch[:1], input_names))
    labels = dict(_named(batch[1:2], ())) if len(batch) > 1 else {}
    return features, {("" if name == "feature" else name): each for name, each in labels.items()}


def _named(values: Any, names: Sequence[str], name: str = "") -> Iterator[tuple[str, np.ndarray]]:
    if isinstance(values, Mapping):
        for key, each in values.items():
            yield from _named(each, (), str(key))
    elif isinstance(values, list | tuple):
        for i, each in enumerate(values):
            if isinstance(each, Mapping):
                yield from _named(each, ())
            elif isinstance(each, list | tuple):
                yield from _named(each, names)
            else:
                known = names[i] if i < len(names) else ("feature" if len(values) == 1 else f"{i}")
                yield from _named(each, (), known)
    else:
        array = _as_array(values)
        if array is not None and array.ndim:
            yield name, array


def _as_array(values: Any) -> np.ndarray | None:
    """Return a dense tensor of any library as an array, or None."""
    import numpy as np

    if values is None or (hasattr(values, "to_sparse") and not hasattr(values, "detach")):
        return None
    if hasattr(values, "dense_shape") or hasattr(values, "row_splits"):
        return None
    if hasattr(values, "detach"):
        values = values.detach().cpu()
    array = np.asarray(values)
    # bfloat16 and its like are no types of NumPy's own.
    return array.astype(np.float32) if array.dtype.kind == "V" else array


def _joined(batches: list[Columns]) -> Columns:
    """Join the batches, column by column; a column whose shape changes is left out."""
    import numpy as np

    joined = {}
    for name, first in batches[0].items():
        parts = [batch[name] for batch in batches if name in batch]
        if len({part.shape[1:] for part in parts}) == 1 and len(parts) == len(batches):
            joined[name] = np.concatenate(parts) if len(parts) > 1 else first
    return joined


def _is_odd(features: Columns) -> bool:
    import numpy as np

    floats = (values for values in features.values() if values.dtype.kind == "f")
    return not all(np.isfinite(values).all() for values in floats)


def _rows(columns: tuple[Columns, Columns]) -> int | None:
    arrays = [*columns[0].values(), *columns[1].values()]
    return len(arrays[0]) if arrays else None
