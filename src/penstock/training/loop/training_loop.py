"""The loop over epochs and steps, with validation, callbacks and checkpoints."""

from __future__ import annotations

import contextlib
import dataclasses
import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from penstock import stopping
from penstock.training.checkpoints.callback_state import callback_states, set_callback_states
from penstock.training.checkpoints.checkpointing import Checkpointing
from penstock.training.checkpoints.random_state import random_state, set_random_state
from penstock.training.checkpoints.variables import assign_variables, read_variables
from penstock.training.loop.batch_logs import number
from penstock.training.loop.callbacks import Callbacks
from penstock.training.loop.sources import Source
from penstock.training.loop.step import EndOfDataError, Step

log = logging.getLogger(__name__)


@dataclass
class Position:
    """How far a training is.

    Attributes:
        epoch: Epochs that are done.
        step: Steps done of the epoch after them.
        total: Steps done in all.
        data_pass: The pass over the data that the next batch is from.
        data_step: Batches of that pass that are used.
    """

    epoch: int = 0
    step: int = 0
    total: int = 0
    data_pass: int = 0
    data_step: int = 0

    def advance(self) -> None:
        """Count one step."""
        self.step += 1
        self.total += 1
        self.data_step += 1

    def next_pass(self) -> None:
        """Count one pass over the data."""
        self.data_pass += 1
        self.data_step = 0

    def next_epoch(self) -> None:
        """Count one epoch."""
        self.epoch += 1
        self.step = 0


@dataclass(frozen=True)
class Plan:
    """What there is to do.

    Attributes:
        epochs: Epochs to train.
        steps_per_epoch: Steps of one; None for a pass over the data.
        validation_steps: Steps of validation; None for a pass over its data.
        validation_freq: Epochs from one validation to the next.
    """

    epochs: int = 1
    steps_per_epoch: int | None = None
    validation_steps: int | None = None
    validation_freq: int = 1

    def __post_init__(self) -> None:
        for name, value in vars(self).items():
            whole = isinstance(value, int) and not isinstance(value, bool) and value > 0
            if not whole and (value is not None or name in ("epochs", "validation_freq")):
                raise ValueError(f"{name} must be a whole number, 1 or more. Received: {value!r}")

    def check(self, data: Source, validation: Source | None) -> None:
        """Raise a `ValueError` if data have no end and nobody says how many steps to take."""
        for name, source, steps in (
            ("steps_per_epoch", data, self.steps_per_epoch),
            ("validation_steps", validation, self.validation_steps),
        ):
            if steps is None and getattr(source, "infinite", False):
                raise ValueError(
                    f"The data have no end, so fit needs {name}. Received: {name}=None"
                )


class TrainingLoop:
    """Trains a model.

    Args:
        step: The backend's steps.
        data: The data to train on.
        validation: The data to validate on, or None.
        callbacks: The callbacks.
        plan: What there is to do.
        checkpointing: Writes checkpoints and finds them again; None for a training without.
    """

    def __init__(
        self,
        step: Step,
        data: Source,
        validation: Source | None,
        callbacks: Callbacks,
        plan: Plan,
        checkpointing: Checkpointing | None = None,
    ) -> None:
        self.step, self.data, self.validation = step, data, validation
        self.callbacks, self.plan, self.checkpointing = callbacks, plan, checkpointing
        self.model = step.model
        self.confirms: list[Callable[[], None]] = []
        """Called before a checkpoint is written; each may raise if the model is not worth keeping."""
        self.position = Position()
        self._feed: Any = None
        self._logs: Mapping[str, Any] = {}
        self._epoch_logs: dict[str, Any] | None = None

    def run(self) -> None:
        """Train to the end, from the newest checkpoint that fits.

        Raises:
            Stopped: If the process was asked to stop; a checkpoint of that step is written.
        """
        try:
            with stopping.careful() if self._stops_itself else contextlib.nullcontext():
                self._run()
        finally:
            if self.checkpointing:
                self.checkpointing.wait()

    def earlier_batch(self, ago: int) -> Any:
        """Return a batch that was trained on, or None if the data cannot go back.

        Args:
            ago: Steps since then; 0 is the last batch.
        """
        step = self.position.data_step - 1 - ago
        if step < 0 or not self.data.endless:
            return None
        return next(iter(self.data.batches(self.position.data_pass, step)), None)

    def _run(self) -> None:
        found = self.checkpointing.find(self.model) if self.checkpointing else None
        if found is not None and found["finished"]:
            self._restore(found)
            return
        if found is not None:
            self.callbacks.continue_files()
        self.model.stop_training = False
        self.callbacks.train_begin()
        if found is not None:
            self.position = Position(**found["position"])
            if self.position.step:
                # Before the values are restored: what callbacks do here was done once already.
                self.callbacks.epoch_begin(self.position.epoch)
            self._restore(found)
        while self.position.epoch < self.plan.epochs and not self.model.stop_training:
            self._run_epoch()
        self._feed = None
        self.step.sync()
        if self.model.optimizer is not None:
            # With `use_ema` the model gets the averaged weights.
            self.model.optimizer.finalize_variable_values(self.model.trainable_variables)
        self.callbacks.train_end(self._epoch_logs)
        if self.checkpointing:
            self.checkpointing.save(lambda: self._contents(finished=True))

    def _run_epoch(self) -> None:
        epoch = self.position.epoch
        if not self.position.step:
            self.model.reset_metrics()
            self.callbacks.epoch_begin(epoch)
        self.step.begin_epoch()
        self._train_steps()
        logs = self._results(self._logs)
        if self.validation is not None and (epoch + 1) % self.plan.validation_freq == 0:
            found = self._validate(self.validation)
            logs.update({f"val_{name}": value for name, value in found.items()})
        self.position.next_epoch()
        if self.plan.steps_per_epoch is None and self.position.data_step:
            self.position.next_pass()
            self._feed = None if not self.data.endless else self._feed
        self.callbacks.epoch_end(epoch, logs)
        self._epoch_logs = logs
        if self.step.processes > 1:
            # All processes go on, or none does.
            self.model.stop_training = self.step.mean(float(self.model.stop_training)) > 0
        if (
            self.checkpointing
            and self.checkpointing.writes
            and self.checkpointing.cadence.after_epoch()
        ):
            self._save()
        self._stop_if_asked()

    def _train_steps(self) -> None:
        position, callbacks, step = self.position, self.callbacks, self.step
        steps = self.plan.steps_per_epoch or self.data.length
        cadence = self.checkpointing.cadence if self.checkpointing else None
        while steps is None or position.step < steps:
            if self.data.length is not None and position.data_step >= self.data.length:
                self._end_pass()
            if self._feed is None:
                self._feed = step.feed(self.data, position.data_pass, position.data_step)
            callbacks.train_batch_begin(position.step)
            try:
                logs = step.train(self._feed)
            except EndOfDataError:
                if not position.data_step:
                    raise ValueError("The data to train on have no batches.") from None
                if self.plan.steps_per_epoch is None:
                    return
                self._end_pass()
                self._feed = None
                continue
            self._logs = logs
            position.advance()
            callbacks.train_batch_end(position.step - 1, logs)
            if self.model.stop_training and step.processes == 1:
                return
            if (
                cadence is not None
                and cadence.after_step(position.total)
                and position.step != steps
            ):
                self._save()
            if position.step != steps:
                self._stop_if_asked()

    def _stop_if_asked(self) -> None:
        """Write a last checkpoint and end, if the process was asked to stop."""
        if self._stops_itself and stopping.is_asked():
            assert self.checkpointing is not None
            self._save()
            self.checkpointing.wait()
            total = self.position.total
            log.info("Asked to stop: training goes on after step %d the next time", total)
            raise stopping.Stopped

    @property
    def _stops_itself(self) -> bool:
        """Whether this process alone decides where training stops."""
        return self.checkpointing is not None and self.step.processes == 1

    def _save(self) -> None:
        for confirm in self.confirms:
            confirm()
        assert self.checkpointing is not None
        self.checkpointing.save(self._contents)

    def _end_pass(self) -> None:
        self.position.next_pass()
        if not self.data.endless:
            self._feed = None

    def _validate(self, source: Source) -> dict[str, Any]:
        self.callbacks.test_begin()
        self.model.reset_metrics()
        steps = self.plan.validation_steps or source.length
        feed = self.step.feed(source, 0, 0)
        done = 0
        logs: Mapping[str, Any] = {}
        while steps is None or done < steps:
            self.callbacks.test_batch_begin(done)
            try:
                logs = self.step.test(feed)
            except EndOfDataError:
                if not done:
                    raise ValueError("The data to validate on have no batches.") from None
                break
            self.callbacks.test_batch_end(done, logs)
            done += 1
        results = self._results(logs)
        self.callbacks.test_end(results)
        return results

    def _results(self, logs: Mapping[str, Any]) -> dict[str, Any]:
        """Return the metrics over all batches, as numbers."""
        return {name: number(value) for name, value in self.step.metric_results(logs).items()}

    def _contents(self, *, finished: bool = False) -> dict[str, Any]:
        """Return everything that a checkpoint must hold."""
        self.step.sync()
        return {
            "finished": finished,
            "position": dataclasses.asdict(self.position),
            # At the end of an epoch metrics are reset. To read them takes all processes of a group.
            "variables": read_variables(self.model, metrics=self.position.step > 0),
            "callbacks": callback_states(self.callbacks.all),
            "random": random_state(),
            "data_seed": getattr(self.data, "seed", None),
            "logs": self._epoch_logs,
            "stop_training": bool(self.model.stop_training),
        }

    def _restore(self, contents: Mapping[str, Any]) -> None:
        self.position = Position(**contents["position"])
        assign_variables(self.model, contents["variables"])
        set_callback_states(self.callbacks.all, contents["callbacks"])
        set_random_state(contents["random"])
        if contents["data_seed"] is not None:
            self.data.seed = contents["data_seed"]  # type: ignore[attr-defined]
        self._epoch_logs = contents["logs"]
        self.model.stop_training = contents["stop_training"]
