"""Steps on PyTorch: Keras's own."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

import keras
import torch

from penstock.training.loop.class_weights import ClassWeights
from penstock.training.loop.sources import Source, batches_from
from penstock.training.loop.step import EndOfDataError, build


class TorchStep:
    """Steps of a model on PyTorch.

    Args:
        model: The compiled model.
        class_weight: The weight of each class in the loss.
    """

    def __init__(self, model: Any, class_weight: Mapping[int, float] | None = None) -> None:
        self.model = model
        self.replicas = self.processes = 1
        self._weighted = ClassWeights(class_weight) if class_weight else None
        self._train: Callable[[Any], Any] = model.train_step
        self._test: Callable[[Any], Any] = model.test_step
        if model.jit_compile:
            self._train, self._test = (
                torch.compile(model.train_step),
                torch.compile(model.test_step),
            )

    def build(self, example: Any) -> None:
        """Create all variables."""
        build(self.model, example)

    def feed(self, source: Source, number: int, first: int) -> Iterator[Any]:
        """Return an iterator over the batches."""
        return batches_from(source, number, first)

    def begin_epoch(self) -> None:
        """Switch PyTorch's layers to training."""
        self.model.train()

    def train(self, feed: Iterator[Any]) -> Mapping[str, Any]:
        """Train on the next batch."""
        batch = _tensors(_next(feed))
        if self._weighted is not None:
            batch = self._weighted(batch)
        logs: Mapping[str, Any] = self._train(batch)
        return logs

    def test(self, feed: Iterator[Any]) -> Mapping[str, Any]:
        """Evaluate the next batch."""
        batch = _tensors(_next(feed))
        self.model.eval()
        with torch.no_grad():
            logs: Mapping[str, Any] = self._test(batch)
        return logs

    def sync(self) -> None:
        """Do nothing: the step works on the model's variables."""

    def metric_results(self, logs: Mapping[str, Any]) -> Mapping[str, Any]:
        """Return the results of all metrics."""
        with torch.no_grad():
            results: Mapping[str, Any] = self.model.get_metrics_result()
        results = results if set(results) == set(logs) else logs
        return {name: _number(value) for name, value in results.items()}

    def mean(self, value: float) -> float:
        """Return the number: there is one process."""
        return value


def _next(feed: Iterator[Any]) -> Any:
    try:
        return next(feed)
    except StopIteration as error:
        raise EndOfDataError from error


def _tensors(batch: Any) -> Any:
    def tensor(value: Any) -> Any:
        return None if value is None else keras.ops.convert_to_tensor(value)

    return keras.tree.map_structure(tensor, batch)


def _number(value: Any) -> Any:
    return keras.ops.convert_to_numpy(value) if torch.is_tensor(value) else value
