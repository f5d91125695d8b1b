"""What the loop asks of a backend: to run one step, and to show the model's state in between."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Protocol

from penstock.training.loop.sources import Source


class EndOfDataError(Exception):
    """A feed has no further batch in this pass."""


class Feed(Protocol):
    """Batches on their way to the device."""


class Step(Protocol):
    """One step of training or of validation on a backend.

    Attributes:
        model: The compiled model.
        replicas: Devices that each take a part of every batch.
        processes: Processes that train together.
    """

    model: Any
    replicas: int
    processes: int

    def build(self, example: Any) -> None:
        """Create all variables: the model's, the optimizer's and those of metrics."""
        ...

    def feed(self, source: Source, number: int, first: int) -> Any:
        """Return batches of a pass of the data (and of the following ones if it is endless)."""
        ...

    def begin_epoch(self) -> None:
        """Take up the values that the model's variables have now."""
        ...

    def train(self, feed: Any) -> Mapping[str, Any]:
        """Train on the next batch and return its logs, on the device.

        Raises:
            EndOfDataError: If the feed has no further batch.
        """
        ...

    def test(self, feed: Any) -> Mapping[str, Any]:
        """Evaluate the next batch and return the logs, on the device.

        Raises:
            EndOfDataError: If the feed has no further batch.
        """
        ...

    def sync(self) -> None:
        """Give the model's variables the values that training has reached."""
        ...

    def metric_results(self, logs: Mapping[str, Any]) -> Mapping[str, Any]:
        """Return the results of all metrics over the batches since they were reset.

        Args:
            logs: Those of the last step. They are returned if a step of the model's own gives others
                than the metrics.
        """
        ...

    def mean(self, value: float) -> float:
        """Return the mean of a number over all processes, which must all ask for it."""
        ...


def create_step(model: Any, class_weight: Mapping[int, float] | None = None) -> Step:
    """Return the step of the backend that Keras runs on.

    Args:
        model: The compiled model.
        class_weight: The weight of each class in the loss.
    """
    import keras

    backend = keras.config.backend()
    if backend == "tensorflow":
        import tensorflow as tf

        strategy = getattr(model, "distribute_strategy", None)
        if isinstance(strategy, tf.distribute.ParameterServerStrategy):
            from penstock.training.loop.parameter_server_step import ParameterServerStep

            return ParameterServerStep(model, class_weight)
        from penstock.training.loop.tensorflow_step import TensorFlowStep

        return TensorFlowStep(model, class_weight)
    if backend == "jax":
        from penstock.training.loop.jax_step import JaxStep

        return JaxStep(model, class_weight)
    if backend == "torch":
        from penstock.training.loop.torch_step import TorchStep

        return TorchStep(model, class_weight)
    raise ValueError(
        f"fit trains on the backends tensorflow, jax and torch. Keras runs on {backend!r}."
    )


def build(model: Any, example: Any) -> None:
    """Create the variables of a model, its optimizer and its metrics.

    Args:
        model: The compiled model.
        example: A batch, or specs of one.
    """
    if hasattr(model, "_symbolic_build"):
        model._symbolic_build(data_batch=example)
        return
    # Keras's own way is private. Without it, one batch is evaluated and forgotten.
    x, y, weights = unpacked(example)
    model.test_on_batch(x, y, weights)
    model.reset_metrics()
    model.optimizer.build(model.trainable_variables)


def unpacked(batch: Any) -> tuple[Any, Any, Any]:
    """Return a batch as x, y and sample weights; what it lacks is None."""
    if not isinstance(batch, list | tuple):
        return batch, None, None
    if len(batch) > 3 or not batch:
        raise ValueError(
            "A batch is x, (x, y) or (x, y, sample weights). "
            f"Received: {type(batch).__name__} of {len(batch)}"
        )
    x, y, weights = (*batch, None, None)[:3]
    return x, y, weights
