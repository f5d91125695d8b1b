"""A Keras callback that looks at a training before its first batch, and while it runs."""

from __future__ import annotations

import logging
import math
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

import keras

from penstock.training.doctor.backward import gradients
from penstock.training.doctor.checks import layers
from penstock.training.doctor.checks.loss_curve import STEPS_A_WINDOW, LossCurve
from penstock.training.doctor.checks.splits import no_validation_data_finding
from penstock.training.doctor.diagnosis import non_finite_findings
from penstock.training.doctor.examination import case_of, findings_of
from penstock.training.doctor.finding import (
    STOPPING,
    Finding,
    TrainingDoctorError,
    check_doctor,
)
from penstock.training.doctor.forward import few_rows, look
from penstock.training.doctor.report import write_findings

if TYPE_CHECKING:
    from penstock.training.fn_args import FnArgs

_LOG = logging.getLogger("penstock.training.doctor")
_FIRST_LOOKS = (20, 100)
"""Steps of the first looks at the layers; weights that start at zero have moved by then."""
_SECONDS_BETWEEN_READS = 0.1
"""Time between two reads of the loss, after the first steps: who reads waits for the device."""
_SHARE = 0.01
"""Share of the training's time that looks may take once the first are done."""
_SHORT_TRAINING = 5.0
"""Seconds up to which a training always gets its last look."""
_UNKNOWN: Any = object()


class TrainingDoctor(keras.callbacks.Callback):  # type: ignore[misc]
    """Finds the classic mistakes of a training, before its first batch and while it runs.

    `penstock.training.fit` adds it by itself; with Keras's own `fit` pass it as a callback. It takes one
    or two hundredths of the training's time: of each step it takes only the loss; layers and gradients
    are looked at in steps 20 and 100, after that and at the end as far as all looks take a hundredth of the
    time; in trainings of some seconds at the end in any case. Weights, random states and the order of the
    data stay as they would be without it.

    Args:
        mode: "warn" logs findings. "error" raises them as `TrainingDoctorError`. "off" does nothing.
            None takes `fn_args.doctor`, or "warn". NaN and infinity always raise, except by "off".
        data: What `fit` trains on; see `examine`. Without it only the loss is watched.
        validation_data: What `fit` validates on, None for nothing. Where it is not given, that there is
            none is only found when the training ends.
        epochs: Epochs; by default those of `fit`.
        steps_per_epoch: Batches of an epoch; by default those of `fit`.
        fn_args: Those of `run_fn`: findings are written to `model_run_dir`.
        ignore: Codes of findings to leave out; by default `fn_args.doctor_ignore`.

    Attributes:
        findings: What was found so far.
        batch_of: Where a training loop sets it: called with a number of steps, it returns the batch of so
            many steps ago, or None. So the feature with NaN is named also if no sampled row has it.
        bring_up_to_date: Called before weights are read; a training loop sets it that keeps them
            outside of the model.

    Raises:
        ValueError: If there is no such mode or finding.

    Example:
        >>> doctor = TrainingDoctor(data=(x, y), validation_data=(x_eval, y_eval))
        >>> model.fit(x, y, validation_data=(x_eval, y_eval), callbacks=[doctor])
        >>> doctor.findings
        []
    """

    def __init__(
        self,
        mode: str | None = None,
        data: Any = None,
        *,
        validation_data: Any = _UNKNOWN,
        epochs: int | None = None,
        steps_per_epoch: int | None = None,
        fn_args: FnArgs | None = None,
        ignore: Iterable[str] | None = None,
    ) -> None:
        super().__init__()
        self.mode = mode or getattr(fn_args, "doctor", "warn")
        check_doctor(self.mode, ignore or ())
        given = getattr(fn_args, "doctor_ignore", ()) if ignore is None else ignore
        check_doctor("warn", given)
        self._ignore = frozenset(given)
        self._data, self._validation_data = data, validation_data
        self._epochs, self._steps_per_epoch = epochs, steps_per_epoch
        self._fn_args = fn_args
        self.findings: list[Finding] = []
        self.batch_of: Callable[[int], Any] | None = None
        self.bring_up_to_date: Callable[[], None] | None = None
        self._begin()

    def _begin(self) -> None:
        self.findings = []
        self._curve = LossCurve()
        self._step = self._batch_of_epoch = 0
        self._seen_of_epoch = (0, 0.0)
        self._unread: list[tuple[int, int, Mapping[str, Any]]] = []
        self._rows: tuple[Any, ...] | None = None
        self._was_validated = False
        self._suspected: dict[str, set[str]] = {"dead": set(), "vanished": set()}
        self._told: set[tuple[str, str]] = set()
        self._started = time.monotonic()
        self._looking = 0.0
        self._next_look = _FIRST_LOOKS[0]
        self._look_after = 0.0
        self._next_read = 0.0

    def get_state(self) -> dict[str, Any]:
        """Return what a training that goes on from a checkpoint needs to know.

        Raises:
            TrainingDoctorError: If a loss since the last time was not finite: it keeps no checkpoint.
        """
        self.confirm()
        return {
            "step": self._step,
            "batch_of_epoch": self._batch_of_epoch,
            "seen_of_epoch": list(self._seen_of_epoch),
            "loss_curve": self._curve.get_state(),
            "findings": [asdict(finding) for finding in self.findings],
        }

    def set_state(self, state: Mapping[str, Any]) -> None:
        """Take up the findings from before a training was stopped."""
        self._step, self._batch_of_epoch = int(state["step"]), int(state["batch_of_epoch"])
        count, total = state["seen_of_epoch"]
        self._seen_of_epoch = int(count), float(total)
        self._curve.set_state(state["loss_curve"])
        self._next_look = self._step + _FIRST_LOOKS[0]
        before = [Finding(**each) for each in state["findings"] if each["code"] not in self._ignore]
        told = {(finding.code, finding.subject) for finding in before}
        self.findings = before + [f for f in self.findings if (f.code, f.subject) not in told]
        self._told |= told
        self._write()

    def on_train_begin(self, logs: Any = None) -> None:
        """Examine the model, the data and the plan."""
        if self.mode == "off":
            return
        self._begin()
        is_known = self._validation_data is not _UNKNOWN
        case = case_of(
            self.model,
            self._data,
            self._validation_data if is_known else None,
            self._epochs or self.params.get("epochs") or 1,
            self._steps_per_epoch or self.params.get("steps"),
            self._fn_args,
        )
        self._write()
        found = findings_of(case)
        self._tell([each for each in found if is_known or each.code != "no-validation-data"])
        if case.look is not None and case.train is not None and len(case.train.first) > 1:
            self._rows = few_rows(case.train.first)
        self._started = time.monotonic()

    def on_epoch_begin(self, epoch: int, logs: Any = None) -> None:
        """Begin a new mean of the loss, as Keras does."""
        self._batch_of_epoch = 0
        self._seen_of_epoch = (0, 0.0)

    def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
        """Take the loss of a step, and look at what there is to look at."""
        if self.mode == "off":
            return
        # Several steps at once are one call: steps_per_execution.
        self._step += batch + 1 - self._batch_of_epoch
        self._batch_of_epoch = batch + 1
        # The loss may still be on its way from the device: who reads it waits.
        self._unread.append((self._step, batch + 1, logs or {}))
        if self._step <= STEPS_A_WINDOW or (
            len(self._unread) >= STEPS_A_WINDOW
            and (self._step <= _FIRST_LOOKS[-1] or time.monotonic() >= self._next_read)
        ):
            self.confirm()
        if self._step >= self._next_look and time.monotonic() >= self._look_after:
            self._look()

    def on_test_begin(self, logs: Any = None) -> None:
        """Note that there is validation data."""
        self._was_validated = True

    def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
        """Read the losses of the epoch's last steps."""
        if self.mode != "off":
            self.confirm()

    def on_train_end(self, logs: Any = None) -> None:
        """Look at the layers a last time."""
        if self.mode == "off":
            return
        if self._validation_data is _UNKNOWN and not self._was_validated:
            self._tell([no_validation_data_finding()])
        now = time.monotonic()
        is_affordable = now - self._started <= _SHORT_TRAINING or now >= self._look_after
        if self._step >= _FIRST_LOOKS[0] and is_affordable:
            self._look()

    def confirm(self) -> None:
        """Read the losses that were not read yet; a training loop calls it before it keeps weights.

        Raises:
            TrainingDoctorError: If one is not finite, or, by "error", if the loss explodes.
        """
        unread, self._unread = self._unread, []
        self._next_read = time.monotonic() + _SECONDS_BETWEEN_READS
        if not unread:
            return
        step, count, logs = unread[-1]
        # Keras gives the mean over the epoch so far: once it is NaN, it stays so.
        mean = _loss_in(logs)
        if not math.isfinite(mean):
            first = next(
                each for each, _, earlier in unread if not math.isfinite(_loss_in(earlier))
            )
            self._not_finite(first)
            return
        before, total = self._seen_of_epoch
        if count > before:
            self._curve.add(mean * count - total, count - before)
        self._seen_of_epoch = count, mean * count
        if self._curve.has_exploded():
            self._tell([self._curve.explosion(step, self._learning_rate())])

    def _not_finite(self, step: int) -> None:
        self._update()
        batch = self.batch_of(self._step - step) if self.batch_of is not None else None
        found = non_finite_findings(self.model, batch, self._rows, step)
        if found and self._curve.has_risen:
            found.insert(0, self._curve.explosion(step, self._learning_rate()))
        self._tell(found)

    def _look(self) -> None:
        started = time.monotonic()
        try:
            found = self._findings_of_layers()
        except Exception as error:
            # A model that cannot be called as it is here trains on without being watched.
            _LOG.info(
                "The training doctor could not look at the layers: %s: %s",
                type(error).__name__,
                error,
            )
            self._rows = None
            found = []
        self._looking += time.monotonic() - started
        later = [step for step in _FIRST_LOOKS if step > self._step]
        self._next_look = later[0] if later else 2 * self._step
        # After so long, one more look like this leaves them within their share.
        last = time.monotonic() - started
        self._look_after = 0.0 if later else self._started + (self._looking + last) / _SHARE
        self._tell(found)

    def _findings_of_layers(self) -> list[Finding]:
        rows = self._rows
        if rows is None:
            return []
        self._update()
        found_gradients = gradients(self.model, rows)
        found = list(layers.non_finite_gradients(found_gradients, self._step))
        seen = look(self.model, rows[0])
        dead = layers.dead_units(seen)
        for name, (count, units) in dead.items():
            # A unit may be silent for a while: what is found twice in a row counts, or a silent layer.
            if name in self._suspected["dead"] or count == units:
                found.append(
                    layers.dead_units_finding(name, count, units, seen.num_rows, self._step)
                )
        vanished = layers.vanished(found_gradients)
        again = {n: v for n, v in vanished.items() if n in self._suspected["vanished"]}
        if again:
            found.append(layers.vanished_finding(again, self._step))
        self._suspected = {"dead": set(dead), "vanished": set(vanished)}
        return found

    def _update(self) -> None:
        update = self.bring_up_to_date or getattr(self.model, "jax_state_sync", None)
        if update is not None:
            update()

    def _learning_rate(self) -> float | None:
        try:
            # An operation makes a tensor of a variable or a number.
            rate = keras.ops.multiply(self.model.optimizer.learning_rate, 1.0)
            return float(keras.ops.convert_to_numpy(rate))
        except Exception:
            return None

    def _tell(self, found: list[Finding]) -> None:
        """Log new findings, write them down, and raise what ends the training."""
        new = [
            finding
            for finding in found
            if finding.code not in self._ignore
            and (finding.code, finding.subject) not in self._told
        ]
        if not new:
            return
        self._told |= {(finding.code, finding.subject) for finding in new}
        self.findings += new
        self._write()
        stops = [f for f in new if self.mode == "error" or f.code in STOPPING]
        for finding in new:
            if finding not in stops and self._is_chief:
                _LOG.warning("%s", finding)
        if stops:
            raise TrainingDoctorError(stops)

    def _write(self) -> None:
        fn_args = self._fn_args
        if fn_args is not None and fn_args.model_run_dir and self._is_chief:
            write_findings(fn_args.model_run_dir, self.findings)

    @property
    def _is_chief(self) -> bool:
        return self._fn_args is None or self._fn_args.is_chief


def _loss_in(logs: Mapping[str, Any]) -> float:
    return float(logs.get("loss", 0.0))
