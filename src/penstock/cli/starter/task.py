"""What is to be predicted: a class or a number, and how good is good enough at first."""

from __future__ import annotations

import dataclasses
import math
from collections import Counter
from typing import Literal

from penstock.cli.errors import UsageError
from penstock.cli.starter.columns import Column

TaskName = Literal["binary", "multiclass", "regression"]

MOST_CLASSES = 200
_POSITIVE = frozenset({"1", "yes", "y", "true", "t", "positive", "1.0"})
_FEW_NUMBERS = 10


@dataclasses.dataclass(frozen=True)
class Task:
    """What the model does.

    Attributes:
        name: Which kind of task.
        label: The label's column.
        classes: The classes and their rows, the most frequent first; none in a regression.
        positive: The class whose probability a binary model gives.
        metric: The metric that the verdict hangs on.
        bound: Its bound: the least value that passes, in a regression the greatest.
        tolerance: By how much a model may be worse than the last one that passed.
        reason: Where the bound comes from, in a sentence.
    """

    name: TaskName
    label: Column
    classes: Counter[str]
    positive: str
    metric: str
    bound: float
    tolerance: float
    reason: str


def choose_task(label: Column, wanted: str | None = None) -> Task:
    """Return the task that fits a label.

    Args:
        label: The label's column.
        wanted: "classification" or "regression"; by default what the values look like.

    Raises:
        UsageError: If nothing can be learnt from it.
    """
    where = f"penstock init: the label {label.name!r}"
    if not label.present:
        raise UsageError(f"{where} has no values.")
    if len(label.cells) == 1:
        only = next(iter(label.cells))
        raise UsageError(f"{where} is always {only!r}: there is nothing to learn.")
    if not label.is_number:
        if wanted == "regression":
            odd = next(cell for cell in label.cells if not _is_number(cell))
            raise UsageError(
                f"{where} has values that are not numbers, such as {odd!r}: it cannot be a regression."
            )
        if label.dates or label.other_dates:
            raise UsageError(f"{where} is a date. Expected classes or numbers.")
        if label.dressed_numbers:
            raise UsageError(
                f"{where} has numbers like {next(iter(label.cells))!r}. Write them as plain numbers."
            )
    classes = not label.is_number or (
        label.is_whole and (len(label.cells) == 2 or len(label.cells) <= _FEW_NUMBERS)
    )
    if wanted is not None:
        classes = wanted == "classification"
    return _classification(label, where) if classes else _regression(label)


def _classification(label: Column, where: str) -> Task:
    if label.is_number and not label.is_whole:
        fraction = next(cell for cell in label.cells if not float(cell.encode()).is_integer())
        raise UsageError(
            f"{where} has fractions, such as {fraction}: it cannot be a classification."
        )
    counts = Counter[str]()
    for cell, count in label.cells.items():
        counts[str(int(float(cell.encode()))) if label.is_number else cell] += count
    classes = Counter(dict(counts.most_common()))
    if len(classes) > min(MOST_CLASSES, label.present / 3):
        raise UsageError(
            f"{where} has {len(classes)} different values in {label.present} rows: too many for classes"
            f" (expected at most {int(min(MOST_CLASSES, label.present / 3))})."
        )
    most, rows = next(iter(classes.items()))
    share = rows / label.present
    if len(classes) == 2:
        return Task(
            "binary", label, classes, _positive(classes), "AUC", 0.6, 0.02,
            "A model that knows nothing has an AUC of 0.5. A useful model does better than that.",
        )  # fmt: skip
    return Task(
        "multiclass", label, classes, "", "SparseCategoricalAccuracy",
        math.floor((share + 0.1 * (1 - share)) * 100) / 100, 0.02,
        f"Always answering {most!r} is right for {share:.0%} of the rows. A model must also get a tenth of "
        "the rest right.",
    )  # fmt: skip


def _positive(classes: Counter[str]) -> str:
    """Return the class that is asked for: the one that says yes, else the rarer one."""
    for each in classes:
        if each.strip().lower() in _POSITIVE:
            return each
    return list(classes)[-1]


def _regression(label: Column) -> Task:
    middle = label.quantile(0.5)
    mean = sum(number * count for number, count in label.numbers) / label.present
    squares = sum(count * (number - mean) ** 2 for number, count in label.numbers)
    deviation = math.sqrt(squares / label.present)
    if label.has_long_tail:
        # A few rows far out decide a squared error, whichever model it is.
        absolute = sum(abs(number - middle) * count for number, count in label.numbers)
        error = absolute / label.present
        return Task(
            "regression", label, Counter(), "", "MeanAbsoluteError",
            _three_digits(0.95 * error), _three_digits(0.05 * error),
            f"Always answering the median ({middle:.6g}) is off by {error:.4g} on average. "
            "A model must be 5% better.",
        )  # fmt: skip
    return Task(
        "regression", label, Counter(), "", "RootMeanSquaredError",
        _three_digits(0.95 * deviation), _three_digits(0.05 * deviation),
        f"Always answering the mean ({mean:.6g}) has an error of {deviation:.4g}, the standard "
        "deviation. A model must be 5% better.",
    )  # fmt: skip


def _three_digits(value: float) -> float:
    return float(f"{value:.3g}")


def _is_number(cell: str) -> bool:
    try:
        float(cell)
    except ValueError:
        return False
    return True
