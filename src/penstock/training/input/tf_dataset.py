"""Batches as a `tf.data.Dataset`.

Python hands over stacks of some dozen batches. TensorFlow takes them apart by `from_tensor_slices`, which
runs no function and needs no GIL for a batch.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

from penstock.training.input.lookahead import ending_with_python, looking_ahead
from penstock.training.input.stacks import BatchStacks, Stack

if TYPE_CHECKING:
    import tensorflow as tf

    from penstock.training.input.batches import Batches

_BATCHES_AHEAD = 2


def tf_dataset(batches: Batches, first_epoch: int, first_step: int) -> tf.data.Dataset:
    """Return the elements of `batches`; see `Batches.as_tf_dataset`."""
    import tensorflow as tf

    stacked = BatchStacks(batches.parts.source.layout, batches.element.weight)
    passes = itertools.count()

    def stacks() -> Iterator[Stack]:
        number = next(passes)
        step = first_step if number == 0 else 0
        windows = batches.windows(first_epoch + number, step, endless=batches.repeats)
        for window in looking_ahead(windows) if batches.read_ahead else windows:
            yield from stacked.of(window)

    def elements(stack: Any) -> tf.data.Dataset:
        if not stack["values"]:
            return tf.data.Dataset.from_tensor_slices(batches.element.of(stack["dense"]))

        def element(dense: Mapping[str, Any], row_splits: Mapping[str, Any]) -> Any:
            ragged = stacked.ragged_tensors(stack["values"], row_splits)
            return batches.element.of({**dense, **ragged})

        return tf.data.Dataset.from_tensor_slices((stack["dense"], stack["row_splits"])).map(
            tf.autograph.experimental.do_not_convert(element)
        )

    dataset = tf.data.Dataset.from_generator(
        lambda: ending_with_python(stacks()),
        output_signature=stacked.signature(batches.order.static_size),
    )
    if batches.read_ahead:
        dataset = dataset.prefetch(1)
    # AutoGraph has nothing to convert here, and warns on Python 3.13 that it cannot.
    dataset = dataset.flat_map(tf.autograph.experimental.do_not_convert(elements))
    if batches.repeats:
        dataset = dataset.apply(
            tf.data.experimental.assert_cardinality(tf.data.INFINITE_CARDINALITY)
        )
    elif not first_step:
        dataset = dataset.apply(tf.data.experimental.assert_cardinality(batches.steps_per_epoch))
    if batches.read_ahead:
        dataset = dataset.prefetch(_BATCHES_AHEAD)
    options = tf.data.Options()
    if batches.order.shard_count > 1:
        policy = tf.data.experimental.AutoShardPolicy.OFF
        options.experimental_distribute.auto_shard_policy = policy
    return dataset.with_options(options)
