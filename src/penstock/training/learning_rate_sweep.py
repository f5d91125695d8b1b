"""The learning-rate range test: which learning rates train a model, found in one short sweep."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from penstock.training.checkpoints.variables import assign_variables, read_variables

if TYPE_CHECKING:
    import keras

_NEEDED = 10


@dataclass(frozen=True)
class LearningRateRange:
    """What a sweep over learning rates found.

    Attributes:
        rates: The learning rate of each step.
        losses: The loss of each step's batch, before its update.
        smoothed: Their exponential moving average.
        suggested: The rate at which the smoothed loss falls fastest. A good first choice; where the loss
            has its minimum, training is already about to diverge.
        diverged: Whether the sweep ended early because the loss grew.
    """

    rates: tuple[float, ...]
    losses: tuple[float, ...]
    smoothed: tuple[float, ...]
    suggested: float
    diverged: bool


def learning_rate_range(
    model: keras.Model,
    data: Any,
    *,
    lowest: float = 1e-6,
    highest: float = 10.0,
    steps: int = 100,
    batch_size: int | None = None,
    smoothing: float = 0.8,
    diverges_at: float = 4.0,
) -> LearningRateRange:
    """Train for some steps while the learning rate grows, and look at the loss.

    After it the weights, the optimizer and the metrics are what they were before. The method is that of
    Leslie N. Smith, *Cyclical Learning Rates for Training Neural Networks* (2017), section 3.3, with
    rates that grow by a factor instead of a summand.

    Args:
        model: The compiled model; on any backend, created in `fn_args.strategy.scope()`.
        data: What `penstock.training.fit` takes; it begins anew where it ends.
        lowest: The learning rate of the first step.
        highest: That of the last step.
        steps: How many steps, 10 or more.
        batch_size: Rows of a step, if the data are arrays.
        smoothing: How much of the average before is kept at each step, from 0 to below 1.
        diverges_at: The sweep ends when the smoothed loss is so many times the smallest one.

    Raises:
        ValueError: If the model is not compiled, its optimizer has a schedule or has trained already, an
            argument does not fit, or the loss falls at no rate.

    Example:
        >>> found = learning_rate_range(model, fn_args.dataset("train", label_key="species_xf"))
        >>> model.optimizer.learning_rate = found.suggested
    """
    from penstock.training.loop.sources import source_of
    from penstock.training.loop.step import create_step

    _check(model, lowest, highest, steps, smoothing, diverges_at)
    step = create_step(model)
    source = source_of(data, batch_size=batch_size, replicas=step.replicas)
    step.build(source.example())
    before = read_variables(model)
    rates = np.geomspace(lowest, highest, steps).tolist()
    losses: list[float] = []
    smoothed: list[float] = []
    diverged = False
    try:
        for loss in _losses(model, step, source, rates):
            if not math.isfinite(loss):
                diverged = True
                break
            losses.append(loss)
            last = smoothed[-1] if smoothed else loss
            smoothed.append(smoothing * last + (1 - smoothing) * loss)
            if smoothed[-1] > diverges_at * min(smoothed) and len(losses) >= _NEEDED:
                diverged = True
                break
    finally:
        assign_variables(model, before)
    tested = rates[: len(losses)]
    return LearningRateRange(
        tuple(tested), tuple(losses), tuple(smoothed), _steepest(tested, smoothed), diverged
    )


def _losses(model: Any, step: Any, source: Any, rates: list[float]) -> Iterator[float]:
    """Yield the loss of a step with each rate."""
    from penstock.training.loop.step import EndOfDataError

    number = 0
    feed = step.feed(source, number, 0)
    for rate in rates:
        model.optimizer.learning_rate = rate
        model.reset_metrics()
        step.begin_epoch()
        try:
            logs = step.train(feed)
        except EndOfDataError:
            number += 1
            feed = step.feed(source, number, 0)
            logs = step.train(feed)
        step.sync()
        results = step.metric_results(logs)
        if "loss" not in results:
            raise ValueError(
                f"The train_step of {type(model).__name__} returns no 'loss'. Received: {sorted(results)}"
            )
        yield float(results["loss"])


def _steepest(rates: list[float], smoothed: list[float]) -> float:
    """Return the rate at which the loss falls fastest, over the logarithm of the rate."""
    place = int(np.argmin(smoothed)) if smoothed else 0
    if place < 2:
        raise ValueError(
            f"The loss fell at no learning rate from {rates[0] if rates else 'the lowest'} on, in "
            f"{len(rates)} steps. Begin with a smaller lowest, or look at the data and the model."
        )
    slopes = np.gradient(np.array(smoothed[: place + 1]), np.log(rates[: place + 1]))
    return rates[int(np.argmin(slopes))]


def _check(
    model: Any, lowest: float, highest: float, steps: int, smoothing: float, diverges_at: float
) -> None:
    optimizer = getattr(model, "optimizer", None)
    if not getattr(model, "compiled", False) or optimizer is None:
        raise ValueError(
            "learning_rate_range needs a compiled Keras model: call model.compile(optimizer, loss) "
            f"before. Received: {type(model).__name__}"
        )
    inner = getattr(optimizer, "inner_optimizer", optimizer)
    if not hasattr(inner._learning_rate, "assign"):
        raise ValueError(
            "learning_rate_range sets the learning rate, and this optimizer has a schedule. Compile the "
            "model with a number as learning rate for the test."
        )
    taken = int(inner._iterations) if inner.built else 0
    if taken:
        raise ValueError(
            f"The optimizer has taken {taken} steps, whose averages and momentum would blur the test. "
            "Compile the model anew; its weights stay."
        )
    if not 0 < lowest < highest:
        raise ValueError(
            "lowest must be above 0 and highest above lowest. Received: "
            f"lowest={lowest}, highest={highest}"
        )
    if steps < _NEEDED:
        raise ValueError(f"steps must be {_NEEDED} or more. Received: steps={steps}")
    if not 0 <= smoothing < 1:
        raise ValueError(f"smoothing is from 0 to below 1. Received: smoothing={smoothing}")
    if diverges_at <= 1:
        raise ValueError(f"diverges_at must be above 1. Received: diverges_at={diverges_at}")
