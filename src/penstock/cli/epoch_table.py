"""Epochs of training on the terminal: the first, the best and the last ones."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from math import isfinite, isnan
from typing import TYPE_CHECKING

from penstock.cli.console import Cell, Console
from penstock.cli.quantities import duration

if TYPE_CHECKING:
    from penstock.store import EpochRecord

_NARROWEST = 9
_GAP = 2
_OF_A_LINE = 4
_LOSSES = ("val_loss", "loss")


def print_epochs(
    console: Console, title: str, epochs: Sequence[EpochRecord], *, last: int | None = 1
) -> None:
    """Print epochs as a table: the first, the best, and the last ones.

    Args:
        console: Where to.
        title: Heads the column of the numbers.
        epochs: In order; at least one.
        last: How many of the last ones; None for all epochs.
    """
    best = best_epoch(epochs)
    shown = list(epochs)
    if last is not None:
        tail = epochs[-last:]
        shown = [each for each in epochs if each in (epochs[0], best) or each in tail]
    names = _columns(shown, console.width)
    every = dict.fromkeys(name for epoch in epochs for name in epoch.metrics)
    rows: list[Sequence[Cell]] = []
    for before, epoch in zip([None, *shown], shown, strict=False):
        if before is not None and epoch.epoch > before.epoch + 1:
            rows.append(("...", *[""] * len(names), "", ""))
        values = [_value(epoch.metrics.get(name)) for name in names]
        passed = duration(epoch.reported - epochs[0].reported) if epoch is not epochs[0] else ""
        rows.append((str(epoch.epoch), *values, passed, "best" if epoch is best else ""))
    numbers = (title, *names, "AFTER")
    console.table((*numbers, ""), rows, right=numbers)
    left_out = len(every) - len(names)
    if left_out:
        console.print(f"({left_out} more metrics: --json has all)")


def best_epoch(epochs: Sequence[EpochRecord]) -> EpochRecord | None:
    """Return the epoch with the least loss, of validation if there is one; None without a loss."""
    for name in _LOSSES:
        known = [e for e in epochs if name in e.metrics and not isnan(e.metrics[name])]
        if known:
            return min(known, key=lambda epoch: epoch.metrics[name])
    return None


def epoch_words(epoch: EpochRecord) -> str:
    """Return an epoch in a line: `epoch 3: loss 0.412, val_loss 0.465`."""
    names = _ordered(epoch.metrics)[:_OF_A_LINE]
    text = ", ".join(f"{name} {_value(epoch.metrics[name])}" for name in names)
    return f"epoch {epoch.epoch:,}: {text}" if text else f"epoch {epoch.epoch:,}"


def _columns(epochs: Sequence[EpochRecord], width: int) -> list[str]:
    """Return the metrics that find room side by side, the losses first."""
    names = _ordered(dict.fromkeys(name for epoch in epochs for name in epoch.metrics))
    room = width - 24
    chosen: list[str] = []
    for name in names:
        room -= max(len(name), _NARROWEST) + _GAP
        if room < 0:
            break
        chosen.append(name)
    return chosen or names[:1]


def _ordered(names: Mapping[str, object]) -> list[str]:
    first = [name for name in ("loss", "val_loss") if name in names]
    return first + [name for name in names if name not in first]


def _value(value: float | None) -> str:
    if value is None:
        return "-"
    return f"{value:.4g}" if isfinite(value) else str(value)
