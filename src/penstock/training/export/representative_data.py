"""The rows on which the ranges of a quantized model are measured."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from itertools import islice
from typing import Any

from penstock.training.export.forms import ExportError

_MOST_BATCHES = 100


def representative_batches(data: Any, names: Sequence[str]) -> Iterator[dict[str, Any]]:
    """Yield batches of a model's inputs as arrays by name.

    Args:
        data: A dict of arrays, or an iterable of dicts, of pairs (dict, label), or, for a model of one
            input, of arrays.
        names: The model's inputs.

    Raises:
        ExportError: If an input is missing, or there are no rows.
    """
    batches = [data] if isinstance(data, Mapping) else islice(iter(data), _MOST_BATCHES)
    count = 0
    for batch in batches:
        features = batch[0] if isinstance(batch, list | tuple) else batch
        if not isinstance(features, Mapping):
            features = {names[0]: features}
        if missing := [name for name in names if name not in features]:
            raise ExportError(
                f"representative_data has no {missing[0]!r}. The model's inputs: {', '.join(names)}. "
                f"Received: {', '.join(map(str, features))}"
            )
        arrays = {name: _array(features[name]) for name in names}
        count += len(arrays[names[0]])
        yield arrays
    if not count:
        raise ExportError("representative_data has no rows.")


def _array(values: Any) -> Any:
    import numpy as np

    array = np.asarray(values.numpy() if hasattr(values, "numpy") else values)
    return array.astype(np.float32) if array.dtype == np.float64 else array
