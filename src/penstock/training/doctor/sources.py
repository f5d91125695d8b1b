"""Batches of what a model trains on, read without changing what the training itself will see."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

_ROWS_A_SLICE = 256


@dataclass(frozen=True)
class Source:
    """A way to look at training data.

    Args:
        batches: The elements: `(x,)`, `(x, y)` or `(x, y, weights)`.
        is_in_order: Whether the rows come in the order in which the model sees them.
        num_rows: Rows of an epoch; None if that is not known.
        batch_size: Rows of a batch; None for arrays, which `fit` cuts, and where it is not known.
    """

    batches: Iterator[tuple[Any, ...]]
    is_in_order: bool
    num_rows: int | None = None
    batch_size: int | None = None


def source_of(data: Any) -> Source | None:
    """Return how to look at data, or None if looking would use it up, as with a generator.

    A `tf.data.Dataset` is looked at through a copy of its graph: one that shuffles goes on to another
    order each time it is iterated, so that looking at the dataset itself would change the training.

    Args:
        data: Arrays as `x`, `(x, y)` or `(x, y, weights)`, where x may be a dict; a list of batches;
            a `tf.data.Dataset`; Penstock's `Batches`; a `keras.utils.PyDataset`; a torch `DataLoader`.
    """
    if hasattr(data, "epoch") and hasattr(data, "num_rows"):
        return Source(data.epoch(0), True, data.num_rows, getattr(data, "batch_size", None))
    if hasattr(data, "element_spec") and hasattr(data, "_as_serialized_graph"):
        return Source(_tensorflow_batches(data), True)
    if hasattr(data, "num_batches") and hasattr(data, "__getitem__"):
        return Source((data[i] for i in range(data.num_batches or 0)), True)
    if type(data).__module__.startswith("torch.utils.data"):
        return Source(_torch_batches(data), True)
    if isinstance(data, list) and data and isinstance(data[0], tuple):
        return Source(iter(data), True)
    if isinstance(data, tuple | Mapping) or hasattr(data, "shape"):
        arrays = data if isinstance(data, tuple) else (data,)
        rows = _num_rows(arrays[0])
        return None if rows is None else Source(_slices(arrays, rows), False, rows)
    return None


def _tensorflow_batches(dataset: Any) -> Iterator[tuple[Any, ...]]:
    import tensorflow as tf
    from tensorflow.python.data.ops.dataset_ops import from_variant

    graph = tf.compat.v1.GraphDef.FromString(dataset._as_serialized_graph().numpy())
    (result,) = (node.input[0] for node in graph.node if node.op == "_Retval")

    def variant() -> Any:
        name = result if ":" in result else f"{result}:0"
        return tf.graph_util.import_graph_def(graph, return_elements=[name])[0]

    copy = from_variant(tf.compat.v1.wrap_function(variant, [])(), dataset.element_spec)
    for element in copy:
        yield element if isinstance(element, tuple) else (element,)


def _torch_batches(loader: Any) -> Iterator[tuple[Any, ...]]:
    """Iterate, and set the random states back that the order of the next epoch comes from."""
    import torch

    generator = getattr(loader, "generator", None)
    state = None if generator is None else generator.get_state()
    try:
        with torch.random.fork_rng(devices=[]):
            for element in loader:
                yield tuple(element) if isinstance(element, list | tuple) else (element,)
    finally:
        if generator is not None:
            generator.set_state(state)


def _slices(arrays: Sequence[Any], rows: int) -> Iterator[tuple[Any, ...]]:
    for start in range(0, rows, _ROWS_A_SLICE):
        yield tuple(_sliced(each, slice(start, start + _ROWS_A_SLICE)) for each in arrays)


def _sliced(values: Any, rows: slice) -> Any:
    if isinstance(values, Mapping):
        return {name: _sliced(each, rows) for name, each in values.items()}
    if isinstance(values, list | tuple):
        return [_sliced(each, rows) for each in values]
    if hasattr(values, "iloc"):
        return values.iloc[rows]
    return None if values is None else values[rows]


def _num_rows(values: Any) -> int | None:
    if isinstance(values, Mapping):
        values = list(values.values())
    if isinstance(values, list | tuple):
        return _num_rows(values[0]) if values else None
    with contextlib.suppress(AttributeError, IndexError, TypeError):
        return int(values.shape[0])
    return None
