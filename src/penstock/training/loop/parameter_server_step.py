"""Steps under TensorFlow's ParameterServerStrategy: workers compute, parameter servers hold the variables.

The chief reads the data and gives each step with its batch to the next worker that is free. Workers do
not wait for each other: a step may compute on weights that others change meanwhile.
"""

from __future__ import annotations

import collections
import contextlib
import logging
from collections.abc import Iterator, Mapping
from typing import Any

import keras
import tensorflow as tf

from penstock.training.loop.class_weights import ClassWeights
from penstock.training.loop.sources import Source, as_tuples, batches_from
from penstock.training.loop.step import EndOfDataError, build

log = logging.getLogger(__name__)

_STEPS_AHEAD = 4
"""Steps for each worker that are given out before the chief waits; their batches are in memory."""


class ParameterServerStep:
    """Steps that a `ClusterCoordinator` gives to workers.

    A step on a worker that is lost is executed again on another one, and may then have been executed
    twice: `executed_again` counts that, and the log says it.

    Args:
        model: The compiled model, created in the scope of a ParameterServerStrategy.
        class_weight: The weight of each class in the loss.

    Attributes:
        planned: Steps that were given out.
        executed_again: Steps that were begun more than once.
    """

    replicas = processes = 1

    def __init__(self, model: Any, class_weight: Mapping[int, float] | None = None) -> None:
        self.model = model
        self.strategy = model.distribute_strategy
        self.planned = self.executed_again = 0
        cluster = tf.distribute.cluster_resolver.TFConfigClusterResolver().cluster_spec()
        self._most = _STEPS_AHEAD * max(1, len(cluster.as_dict().get("worker", ())))
        self._coordinator = tf.distribute.coordinator.ClusterCoordinator(self.strategy)
        self._given: collections.deque[Any] = collections.deque()
        self._logs: Mapping[str, Any] = {}
        with self.strategy.scope():
            self._begun = tf.Variable(0, dtype=tf.int64, trainable=False, name="steps_begun")
        weighted = ClassWeights(class_weight) if class_weight else None
        compiled = {"jit_compile": model.jit_compile or None, "reduce_retracing": True}

        @tf.autograph.experimental.do_not_convert  # type: ignore[untyped-decorator]
        def on_replica(batch: Any) -> Any:
            return model.train_step(batch if weighted is None else weighted(batch))

        @tf.function(**compiled)  # type: ignore[untyped-decorator]
        @tf.autograph.experimental.do_not_convert  # type: ignore[untyped-decorator]
        def on_worker(batch: Any) -> Any:
            self._begun.assign_add(1)
            with _adding_in_place():
                return self.strategy.run(on_replica, args=(batch,))

        self._on_worker = on_worker
        # The chief validates by itself, for what two workers add to a metric may be added twice.
        self._on_chief = tf.function(model.test_step, autograph=False, **compiled)

    def build(self, example: Any) -> None:
        """Create all variables, on the parameter servers."""
        with self.strategy.scope():
            build(self.model, example)

    def feed(self, source: Source, number: int, first: int) -> Iterator[Any]:
        """Return an iterator over the batches, which the chief reads."""
        return batches_from(source, number, first)

    def begin_epoch(self) -> None:
        """Do nothing: the steps work on the model's variables."""

    def train(self, feed: Iterator[Any]) -> Mapping[str, Any]:
        """Give the next batch to a worker, and return the logs of the last step that is done."""
        batch = _tensors(feed)
        while len(self._given) >= self._most:
            self._logs = self._given.popleft().fetch()
        self._given.append(self._coordinator.schedule(self._on_worker, args=(batch,)))
        self.planned += 1
        return self._logs

    def test(self, feed: Iterator[Any]) -> Mapping[str, Any]:
        """Evaluate the next batch, on the chief."""
        logs: Mapping[str, Any] = self._on_chief(_tensors(feed))
        return logs

    def sync(self) -> None:
        """Wait until all steps that were given out are done."""
        self._coordinator.join()
        while self._given:
            self._logs = self._given.popleft().fetch()
        again = int(self._begun.numpy()) - self.planned
        if again > self.executed_again:
            self.executed_again = again
            log.warning(
                "%d of %d steps were executed again, because a worker was lost with them",
                again,
                self.planned,
            )

    def metric_results(self, logs: Mapping[str, Any]) -> Mapping[str, Any]:
        """Return the results of all metrics, once all steps are done."""
        self.sync()
        results: dict[str, Any] = self.model.get_metrics_result()
        return results if not logs or set(results) == set(logs) else logs

    def mean(self, value: float) -> float:
        """Return the number: the chief alone decides."""
        return value


@contextlib.contextmanager
def _adding_in_place() -> Iterator[None]:
    """Make Keras's variables add in one operation within the block, while a step is traced.

    `keras.Variable.assign_add` reads, adds and writes: what another worker adds in between is lost, from
    the sums of metrics and from the number of the step. Metrics that do the same by themselves, such as
    AUC, stay inexact while several workers train.
    """

    def assign_add(self: Any, value: Any) -> Any:
        return self.value.assign_add(tf.cast(value, self.dtype))

    keras.Variable.assign_add = assign_add
    try:
        yield
    finally:
        del keras.Variable.assign_add


def _tensors(feed: Iterator[Any]) -> Any:
    try:
        batch = next(feed)
    except StopIteration as error:
        raise EndOfDataError from error
    return keras.tree.map_structure(
        lambda value: None if value is None else tf.convert_to_tensor(value), as_tuples(batch)
    )
