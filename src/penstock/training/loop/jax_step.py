"""Steps on JAX: Keras's own, which take the state and return the new one, compiled by `jax.jit`."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import jax
import keras
import numpy as np

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

    Under `keras.distribution.DataParallel` each device takes its part of every batch, and what the step
    computes is what one device would compute: JAX adds the parts up where a sum needs all of them.

    Args:
        model: The compiled model.
        class_weight: The weight of each class in the loss.
    """

    def __init__(self, model: Any, class_weight: Mapping[int, float] | None = None) -> None:
        self.model = model
        self.processes = jax.process_count()
        self._devices = _Devices.of(keras.distribution.distribution())
        self.replicas = self._devices.count if self._devices else 1
        self._weighted = ClassWeights(class_weight) if class_weight else None
        self._train: Any = None
        self._test: Any = None
        self._state: tuple[Any, ...] | None = None
        # Setting an attribute of a Keras layer looks through the value for layers and variables, each time.
        self._attributes = vars(model)
        self._attributes |= {"_jax_state": None, "_jax_state_synced": True}

    def build(self, example: Any) -> None:
        """Create all variables."""
        build(self.model, example)

        def train(state: Any, batch: Any) -> Any:
            return self.model.train_step(state, self._weighted(batch) if self._weighted else batch)

        self._train = self._compiled(train, (0, 1, 2, 3))
        self._test = self._compiled(self.model.test_step, (0, 1, 3))

    def feed(self, source: Source, number: int, first: int) -> Iterator[Any]:
        """Return an iterator over the batches, which go to the devices one ahead."""
        batches = batches_from(source, number, first)
        if self._devices is not None:
            return _one_ahead(batches, self._devices.place)
        # On a CPU there is no way to go.
        return batches if jax.default_backend() == "cpu" else _one_ahead(batches, jax.device_put)

    def begin_epoch(self) -> None:
        """Take up the values of the model's variables."""
        self.sync()
        self._state = None

    def train(self, feed: Iterator[Any]) -> Mapping[str, Any]:
        """Train on the next batch."""
        batch = _next(feed)
        if self._state is None or self._attributes["_jax_state_synced"]:
            # A callback may have looked at the model, and changed it.
            self._state = self._values(0, 1, 2, 3)
        logs, self._state = self._train(self._state, batch)
        self._keep(self._state)
        return logs  # type: ignore[no-any-return]

    def test(self, feed: Iterator[Any]) -> Mapping[str, Any]:
        """Evaluate the next batch."""
        batch = _next(feed)
        if self._state is None or self._attributes["_jax_state_synced"]:
            self._state = self._values(0, 1, 3)
        logs, self._state = self._test(self._state, batch)
        self._keep((self._state[0], self._state[1], None, self._state[2]))
        return logs  # type: ignore[no-any-return]

    def sync(self) -> None:
        """Assign the values that training has reached to the model's variables."""
        self.model.jax_state_sync()

    def metric_results(self, logs: Mapping[str, Any]) -> Mapping[str, Any]:
        """Return the results of all metrics."""
        self.sync()
        results: dict[str, Any] = self.model.get_metrics_result()
        return results if set(results) == set(logs) else logs

    def mean(self, value: float) -> float:
        """Return the mean of a number over all processes, which must all ask for it."""
        if self.processes == 1:
            return value
        from jax.experimental import multihost_utils

        return float(np.mean(multihost_utils.process_allgather(np.float32(value))))

    def _variables(self) -> tuple[Any, ...]:
        model = self.model
        return (
            model.trainable_variables,
            model.non_trainable_variables,
            model.optimizer.variables,
            model.metrics_variables,
        )

    def _values(self, *kinds: int) -> tuple[Any, ...]:
        variables = self._variables()
        return tuple([variable.value for variable in variables[kind]] for kind in kinds)

    def _keep(self, state: tuple[Any, ...]) -> None:
        self._attributes["_jax_state"] = dict(zip(_STATE, state, strict=True))
        self._attributes["_jax_state_synced"] = False

    def _compiled(self, step: Any, kinds: tuple[int, ...]) -> Any:
        """Return a step, compiled if the model is to be; the state stays where it is."""
        if self.model.run_eagerly or not self.model.jit_compile:
            return step
        if self._devices is None:
            return jax.jit(step, donate_argnums=0)
        places = jax.tree.map(lambda value: value.sharding, self._values(*kinds))
        return jax.jit(step, donate_argnums=0, out_shardings=(None, places))


class _Devices:
    """The devices of all processes, and how batches get there.

    Args:
        mesh: Keras's device mesh.
        axis: The mesh's axis over which batches are divided.
    """

    def __init__(self, mesh: Any, axis: str) -> None:
        spec = jax.sharding.PartitionSpec
        devices = mesh.backend_mesh
        self.count = int(devices.size)
        self._divided = jax.sharding.NamedSharding(devices, spec(axis))
        self._everywhere = jax.sharding.NamedSharding(devices, spec())

    @classmethod
    def of(cls, distribution: Any) -> _Devices | None:
        """Return the devices of a Keras distribution; None without one.

        Raises:
            ValueError: If it divides the model, too.
        """
        if distribution is None:
            return None
        if not isinstance(distribution, keras.distribution.DataParallel):
            raise ValueError(
                "fit trains under keras.distribution.DataParallel. "
                f"Received: {type(distribution).__name__}"
            )
        return cls(distribution.device_mesh, distribution.batch_dim_name)

    def place(self, value: Any) -> Any:
        """Return a batch's array on the devices, divided by rows; each process has all of its rows."""
        array = np.asarray(value)
        # What does not divide (the last batch of a validation) is computed by every device.
        target = self._everywhere if len(array) % self.count else self._divided
        return jax.make_array_from_callback(array.shape, target, lambda index: array[index])


def _next(feed: Iterator[Any]) -> Any:
    try:
        return next(feed)
    except StopIteration as error:
        raise EndOfDataError from error


def _one_ahead(batches: Iterator[Any], place: Any) -> Iterator[Any]:
    """Yield batches on the device; the next one is on its way while one is worked on."""
    ahead = None
    for batch in batches:
        on_its_way = jax.tree.map(place, batch)
        if ahead is not None:
            yield ahead
        ahead = on_its_way
    if ahead is not None:
        yield ahead
