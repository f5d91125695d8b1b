"""Steps on TensorFlow: Keras's own, in a `tf.function`, under any `tf.distribute` strategy."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import keras
import tensorflow as tf

from penstock.training.loop.class_weights import ClassWeights
from penstock.training.loop.sources import BatchesSource, Source
from penstock.training.loop.step import EndOfDataError, build


class TensorFlowStep:
    """Steps of a model on TensorFlow.

    Each replica takes its part of every batch. Losses are averaged over the whole batch, and metrics are
    merged when their results are asked for.

    Args:
        model: The compiled model; its strategy is the one in whose scope it was created.
        class_weight: The weight of each class in the loss.
    """

    def __init__(self, model: Any, class_weight: Mapping[int, float] | None = None) -> None:
        self.model = model
        self.strategy = getattr(model, "distribute_strategy", None) or tf.distribute.get_strategy()
        self.replicas: int = self.strategy.num_replicas_in_sync
        resolver = getattr(self.strategy, "cluster_resolver", None)
        cluster = resolver.cluster_spec().as_dict() if resolver is not None else {}
        self.processes = max(1, sum(len(cluster.get(job, ())) for job in ("chief", "worker")))
        weighted = ClassWeights(class_weight) if class_weight else None
        self._train = self._function(model.train_step, weighted)
        self._test = self._function(
            model.test_step if self.replicas == 1 else _skipping_nothing(model.test_step), None
        )
        self._mean = tf.function(self._mean_of_all, autograph=False)

    def build(self, example: Any) -> None:
        """Create all variables, in the strategy's scope."""
        with self.strategy.scope():
            build(self.model, example)

    def feed(self, source: Source, number: int, first: int) -> TensorFlowFeed:
        """Return an iterator over the batches."""
        dataset = self._distributed(source, number, first)
        # A step that finds no batch would still do what needs none, such as counting itself (which is
        # what happens in Keras's `fit`). So where the end is not known, the batch is fetched before.
        return TensorFlowFeed(iter(dataset), source.length is None or self.model.run_eagerly)

    def _distributed(self, source: Source, number: int, first: int) -> Any:
        if self.replicas == 1:
            return source.dataset(number, first)
        if self.processes == self.replicas and isinstance(source, BatchesSource):
            # Each process reads its own rows only.
            return self.strategy.distribute_datasets_from_function(
                lambda context: source.shard(
                    context.input_pipeline_id, context.num_input_pipelines
                ).dataset(number, first)
            )
        # Of every batch each process takes its part, rather than each process other files.
        options = tf.data.Options()
        options.experimental_distribute.auto_shard_policy = (
            tf.data.experimental.AutoShardPolicy.DATA
        )
        return self.strategy.experimental_distribute_dataset(
            source.dataset(number, first).with_options(options)
        )

    def mean(self, value: float) -> float:
        """Return the mean of a number over all processes, which must all ask for it."""
        if self.processes == 1:
            return value
        return float(self._mean(tf.constant(value, tf.float32)))

    def _mean_of_all(self, value: Any) -> Any:
        values = self.strategy.run(lambda: value)
        return self.strategy.reduce(tf.distribute.ReduceOp.MEAN, values, axis=None)

    def begin_epoch(self) -> None:
        """Do nothing: the step works on the model's variables."""

    def train(self, feed: TensorFlowFeed) -> Mapping[str, Any]:
        """Train on the next batch."""
        return self._train(feed)

    def test(self, feed: TensorFlowFeed) -> Mapping[str, Any]:
        """Evaluate the next batch."""
        return self._test(feed)

    def sync(self) -> None:
        """Do nothing: the step works on the model's variables."""

    def metric_results(self, logs: Mapping[str, Any]) -> Mapping[str, Any]:
        """Return the results of all metrics."""
        results: dict[str, Any] = self.model.get_metrics_result()
        return results if self.replicas > 1 or set(results) == set(logs) else logs

    def _function(
        self, step: Callable[[Any], Any], prepare: Callable[[Any], Any] | None
    ) -> Callable[[TensorFlowFeed], Mapping[str, Any]]:
        """Return a function that runs a step on the next batch of a feed."""
        strategy = self.strategy

        # AutoGraph stays off, as in Keras's `fit`: layers are written without it.
        @tf.autograph.experimental.do_not_convert  # type: ignore[untyped-decorator]
        def on_batch(batch: Any) -> Any:
            def run(batch: Any) -> Any:
                return step(batch if prepare is None else prepare(batch))

            logs = strategy.run(run, args=(batch,))
            return keras.tree.map_structure(
                lambda value: strategy.experimental_local_results(value)[0], logs
            )

        if not self.model.run_eagerly:
            on_batch = tf.function(
                on_batch, reduce_retracing=True, jit_compile=self.model.jit_compile or None
            )

        @tf.function(reduce_retracing=True)  # type: ignore[untyped-decorator]
        @tf.autograph.experimental.do_not_convert  # type: ignore[untyped-decorator]
        def on_next(iterator: Any) -> Any:
            return on_batch(iterator.get_next())

        def run_step(feed: TensorFlowFeed) -> Mapping[str, Any]:
            logs: Mapping[str, Any]
            try:
                if not feed.fetches_before:
                    logs = on_next(feed.iterator)
                    return logs
                batch = next(feed.iterator)
            except (tf.errors.OutOfRangeError, StopIteration) as error:
                raise EndOfDataError from error
            logs = on_batch(batch)
            return logs

        return run_step


def _skipping_nothing(step: Callable[[Any], Any]) -> Callable[[Any], Any]:
    """Return a step that leaves out a part without rows, whose loss would not be a number.

    The last batch of a pass may have fewer rows than there are replicas.
    """

    def run(batch: Any) -> dict[str, Any]:
        first = next(each for each in keras.tree.flatten(batch) if each is not None)

        def rows() -> Any:
            step(batch)
            return tf.constant(True)

        tf.cond(tf.shape(first)[0] > 0, rows, lambda: tf.constant(False))
        return {}

    return run


@dataclass(frozen=True)
class TensorFlowFeed:
    """Batches of a dataset.

    Attributes:
        iterator: TensorFlow's iterator.
        fetches_before: Whether a batch is fetched before the step, not in its graph.
    """

    iterator: Any
    fetches_before: bool
