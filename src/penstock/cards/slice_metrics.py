"""The plain numbers of an evaluation as columns over its slices, for each of its models."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from penstock.cards.metric_words import better, is_of_the_whole, is_share, quality_first

OVERALL = "Overall"
_MOST_NUMBERS = 600_000
"""About how many numbers a page may hold before it is slow to open; each is some ten bytes."""


@dataclass
class Series:
    """A metric of one model, slice by slice; None where there is no number.

    Args:
        values: The numbers.
        lower: The lower ends of their intervals.
        upper: The upper ends.
    """

    values: list[float | None]
    lower: list[float | None]
    upper: list[float | None]

    def of(self, rows: Sequence[int]) -> Series:
        """Return the chosen rows."""
        picked = ([each[i] for i in rows] for each in (self.values, self.lower, self.upper))
        return Series(*picked)

    @property
    def has_intervals(self) -> bool:
        """Whether any number has an interval."""
        return any(each is not None for each in self.lower)


@dataclass
class SliceMetrics:
    """The plain numbers of an evaluation.

    Args:
        slices: The slices' names; `Overall` is first, if there is one.
        sliced_by: The features that each is cut by; empty for the whole.
        columns: The metrics' labels.
        models: The models that are judged, by name; the only one's may be empty.
        baselines: The models that they are compared with, by name.
        changes: The differences to the first baseline, by model and column.
        examples: How many examples each slice has; None where it is not known.
        left_out: How many slices there are besides.
        notes: Why a slice has no metrics, by its name.
    """

    slices: list[str]
    sliced_by: list[str]
    columns: list[str]
    models: dict[str, dict[str, Series]]
    baselines: dict[str, dict[str, Series]]
    changes: dict[str, dict[str, Series]]
    examples: list[float | None]
    left_out: int = 0
    notes: dict[str, str] = field(default_factory=dict)

    @property
    def first_model(self) -> dict[str, Series]:
        """The first model that is judged."""
        return next(iter(self.models.values()), {})

    @property
    def baseline(self) -> dict[str, Series]:
        """The first baseline; empty if there is none."""
        return next(iter(self.baselines.values()), {})

    def overall(self) -> dict[str, float]:
        """Return the first model's numbers of the whole data set, or of the first slice."""
        found = {name: self.first_model[name].values[0] for name in self.columns if self.slices}
        return {name: value for name, value in found.items() if value is not None}

    def of(self, rows: Sequence[int]) -> SliceMetrics:
        """Return the chosen slices, in this order."""
        return SliceMetrics(
            [self.slices[i] for i in rows],
            [self.sliced_by[i] for i in rows],
            self.columns,
            _picked(self.models, rows),
            _picked(self.baselines, rows),
            _picked(self.changes, rows),
            [self.examples[i] for i in rows],
            self.left_out + len(self.slices) - len(rows),
            self.notes,
        )


def collect_slice_metrics(
    folder: str, checks: Sequence[Mapping[str, Any]] = (), *, compared: bool = False
) -> SliceMetrics:
    """Read the plain numbers of an evaluation, ours or TFMA's; arrays and matrices are left out.

    Args:
        folder: The evaluation's folder.
        checks: Its threshold checks, which know how many examples a slice has.
        compared: Whether to read the differences of slices to each other instead of the slices.
    """
    from penstock.evaluation.keys import message_slice_name, slice_columns
    from penstock.evaluation.records import read_messages

    slices, sliced_by, notes = [], [], {}
    found: dict[tuple[str, str, bool], dict[int, Any]] = {}
    read = _Numbers()
    wanted = (
        each
        for each in read_messages(folder, "metrics")
        if each.HasField("cross_slice_key") == compared
    )
    for index, message in enumerate(wanted):
        slices.append(message_slice_name(message))
        sliced_by.append(slice_columns(message) or "")
        for value in message.metrics.values():
            notes[slices[-1]] = value.debug_message
        for key, number in read(message):
            found.setdefault(key, {})[index] = number
    names = list(dict.fromkeys(model for model, _, _ in found))
    baselines = baseline_names(folder)
    judged = [name for name in names if name not in baselines] or names
    others = [name for name in baselines if name in names and name not in judged]
    columns = quality_first(
        dict.fromkeys(label for model, label, is_change in found if not is_change)
    )
    size = len(slices)
    return SliceMetrics(
        slices,
        sliced_by,
        columns,
        {name: _columns(found, name, columns, size) for name in judged},
        {name: _columns(found, name, columns, size) for name in others},
        {name: _columns(found, name, columns, size, is_change=True) for name in judged},
        _examples(slices, found, checks),
        notes=notes,
    )


def baseline_names(folder: str) -> list[str]:
    """Return what the baselines of an evaluation are called, in the order of the config."""
    from penstock.evaluation import read_eval_config

    config = read_eval_config(folder)
    named = [spec.name for spec in config.model_specs if spec.is_baseline] if config else []
    return named or ["baseline"]


def worst_first(metrics: SliceMetrics, column: str, higher_is_better: bool) -> SliceMetrics:
    """Return the slices with the worst of one metric first, after the whole; of very many the worst.

    Args:
        metrics: All slices.
        column: The metric.
        higher_is_better: Which values are bad.
    """
    values = metrics.first_model[column].values

    def rank(index: int) -> tuple[bool, bool, float]:
        value = values[index]
        is_whole = metrics.slices[index] == OVERALL
        if value is None or value != value:
            return not is_whole, True, 0.0
        return not is_whole, False, value if higher_is_better else -value

    rows = sorted(range(len(metrics.slices)), key=rank)
    width = len(metrics.columns) * (len(metrics.models) + bool(metrics.baseline))
    return metrics.of(rows[: max(100, _MOST_NUMBERS // max(width, 1))])


def primary_metric(
    overall: Mapping[str, float], checks: Sequence[Mapping[str, Any]]
) -> tuple[str, bool] | None:
    """Return the metric by which slices are sorted, and whether higher is better.

    The first that a threshold is on, else the first share such as accuracy or AUC, else the first of which
    it is known what is better; those of the whole output before those of a class.
    """
    for check in checks:
        if check["metric"] in overall:
            if check["direction"]:
                return check["metric"], check["direction"] != "lower is better"
            return check["metric"], "lower" in check["bounds"]
    names = sorted(quality_first(overall), key=lambda name: not is_of_the_whole(name))
    if not names:
        return None
    whole = [name for name in names if is_of_the_whole(name)]
    name = next(
        (name for some in (whole, names) for name in some if is_share(name)),
        next((name for name in names if better(name)), names[0]),
    )
    return name, better(name) > 0


class _Numbers:
    """Reads the plain numbers of messages; what a key says is found out once."""

    def __init__(self) -> None:
        self._known: dict[bytes, tuple[str, str, bool]] = {}

    def __call__(self, message: Any) -> Iterator[tuple[tuple[str, str, bool], Any]]:
        from penstock.evaluation.keys import MetricKey
        from penstock.evaluation.metric_values import numbers_of

        for entry in message.metric_keys_and_values:
            if entry.value.WhichOneof("type") not in _PLAIN:
                continue
            identity = entry.key.SerializeToString()
            if identity not in self._known:
                key = MetricKey.from_proto(entry.key)
                self._known[identity] = (key.model_name, key.label(), key.is_diff)
            yield self._known[identity], next(numbers_of(entry))


_PLAIN = ("double_value", "bounded_value", "t_distribution_value")


def _columns(
    found: Mapping[tuple[str, str, bool], Mapping[int, Any]],
    model: str,
    columns: Sequence[str],
    size: int,
    *,
    is_change: bool = False,
) -> dict[str, Series]:
    made = {}
    for label in columns:
        numbers = found.get((model, label, is_change))
        if numbers is None and is_change:
            continue
        numbers = numbers or {}
        parts: list[list[float | None]] = [[None] * size for _ in range(3)]
        for index, number in numbers.items():
            parts[0][index], parts[1][index], parts[2][index] = number[:3]
        made[label] = Series(*parts)
    return made


def _examples(
    slices: Sequence[str],
    found: Mapping[tuple[str, str, bool], Mapping[int, Any]],
    checks: Sequence[Mapping[str, Any]],
) -> list[float | None]:
    for (_, label, is_change), numbers in found.items():
        if label.startswith("example_count") and not is_change:
            return [numbers[i].value if i in numbers else None for i in range(len(slices))]
    counted = {check["slice"]: check["num_examples"] for check in checks}
    return [counted.get(name) for name in slices]


def _picked(
    models: Mapping[str, Mapping[str, Series]], rows: Sequence[int]
) -> dict[str, dict[str, Series]]:
    return {
        model: {name: series.of(rows) for name, series in columns.items()}
        for model, columns in models.items()
    }
