"""Steps on JAX: Keras's own, which take the state and return the new one, compiled by `jax.jit`."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import jax

from penstock.training.loop.class_weights import ClassWeights
from penstock.training.loop.sources import Source, batches_from
from penstock.training.loop.step import EndOfDataError, build

_STATE = (
    "trainable_variables",
    "non_trainable_variables",
    "optimizer_variables",
    "metrics_variables",
)


class JaxStep:
    """Steps of a model on JAX.

    While an epoch runs, the values are in `model._jax_state`, as in Keras's `fit`: `callback.model`
    calls `model.jax_state_sync()`, so that a callback sees a model with its present weights.

    Args:
        model: The compiled model.
        class_weight: The weight of each class in the loss.
    """

    def __init__(self, model: Any, class_weight: Mapping[int, float] | None = None) -> None:
        self.model = model
        self._weighted = ClassWeights(class_weight) if class_weight else None
        self._train: Any = None
        self._test: Any = None
        self._state: tuple[Any, ...] | None = None
        model._jax_state, model._jax_state_synced = None, True

    def build(self, example: Any) -> None:
        """Create all variables."""
        build(self.model, example)

        def train(state: Any, batch: Any) -> Any:
            return self.model.train_step(state, self._weighted(batch) if self._weighted else batch)

        compiled = self.model.jit_compile and not self.model.run_eagerly
        self._train = jax.jit(train, donate_argnums=0) if compiled else train
        test = self.model.test_step
        self._test = jax.jit(test, donate_argnums=0) if compiled else test

    def feed(self, source: Source, number: int, first: int) -> Iterator[Any]:
        """Return an iterator over the batches, which go to the device one ahead."""
        batches = batches_from(source, number, first)
        # On a CPU there is no way to go.
        return batches if jax.default_backend() == "cpu" else _one_ahead(batches)

    def begin_epoch(self) -> None:
        """Take up the values of the model's variables."""
        self.sync()
        self._state = None

    def train(self, feed: Iterator[Any]) -> Mapping[str, Any]:
        """Train on the next batch."""
        batch = _next(feed)
        if self._state is None or self.model._jax_state_synced:
            # A callback may have looked at the model, and changed it.
            self._state = self._values(4)
        logs, state = self._train(self._state, batch)
        self._keep(state)
        self._state = state
        return logs  # type: ignore[no-any-return]

    def test(self, feed: Iterator[Any]) -> Mapping[str, Any]:
        """Evaluate the next batch."""
        batch = _next(feed)
        if self._state is None or self.model._jax_state_synced:
            trainable, others, _, metrics = self._values(4)
            self._state = (trainable, others, metrics)
        logs, state = self._test(self._state, batch)
        self._keep((state[0], state[1], None, state[2]))
        self._state = state
        return logs  # type: ignore[no-any-return]

    def sync(self) -> None:
        """Assign the values that training has reached to the model's variables."""
        self.model.jax_state_sync()

    def metric_results(self) -> dict[str, Any]:
        """Return the results of all metrics."""
        self.sync()
        results: dict[str, Any] = self.model.get_metrics_result()
        return results

    def _values(self, count: int) -> tuple[Any, ...]:
        model = self.model
        return (
            [variable.value for variable in model.trainable_variables],
            [variable.value for variable in model.non_trainable_variables],
            [variable.value for variable in model.optimizer.variables],
            [variable.value for variable in model.metrics_variables],
        )[:count]

    def _keep(self, state: tuple[Any, ...]) -> None:
        self.model._jax_state = dict(zip(_STATE, state, strict=True))
        self.model._jax_state_synced = False


def _next(feed: Iterator[Any]) -> Any:
    try:
        return next(feed)
    except StopIteration as error:
        raise EndOfDataError from error


def _one_ahead(batches: Iterator[Any]) -> Iterator[Any]:
    """Yield batches on the device; the next one is on its way while one is worked on."""
    ahead = None
    for batch in batches:
        on_its_way = jax.tree.map(jax.device_put, batch)
        if ahead is not None:
            yield ahead
        ahead = on_its_way
    if ahead is not None:
        yield ahead
