"""The plan of a project: its task, and its table's columns by kind."""

from __future__ import annotations

import dataclasses
import itertools
import re
from collections.abc import Iterable, Sequence
from pathlib import Path

from penstock.cli.errors import UsageError
from penstock.cli.starter.columns import FLAG_MISSING, Column, Kind, kind_of
from penstock.cli.starter.table import Table, read_table
from penstock.cli.starter.task import Task, choose_task
from penstock.spelling import nearest

FEWEST_ROWS = 30
"""A table with fewer labelled rows cannot be split into rows to train on and rows to judge by."""

_SHOWN_COLUMNS = 20


@dataclasses.dataclass(frozen=True)
class PlannedColumn:
    """A column, its kind, and a short note about its values or why it is left out."""

    column: Column
    kind: Kind
    note: str

    @property
    def name(self) -> str:
        """The column's name."""
        return self.column.name

    @property
    def is_flagged(self) -> bool:
        """Whether the model gets a flag for missing values."""
        share = self.column.missing / self.column.rows
        return self.kind in (Kind.NUMERIC, Kind.LONG_TAILED) and share >= FLAG_MISSING


@dataclasses.dataclass(frozen=True)
class Plan:
    """What a project is made from.

    Attributes:
        table: The table.
        task: What is predicted.
        columns: All others, in the table's order.
    """

    table: Table
    task: Task
    columns: tuple[PlannedColumn, ...]

    def of(self, *kinds: Kind) -> list[PlannedColumn]:
        """Return the columns of these kinds."""
        return [each for each in self.columns if each.kind in kinds]

    @property
    def features(self) -> list[PlannedColumn]:
        """The columns that the model reads."""
        return [each for each in self.columns if each.kind is not Kind.IGNORED]

    @property
    def slice_by(self) -> PlannedColumn | None:
        """A column of few categories, by which a model may be judged, too."""
        few = [each for each in self.of(Kind.CATEGORICAL) if 2 <= len(each.column.cells) <= 8]
        return max(few, key=lambda each: min(each.column.cells.values()), default=None)


def make_plan(file: Path, label: str, wanted: str | None = None) -> Plan:
    """Look at a CSV file and decide what a project does with each of its columns.

    Args:
        file: A CSV file with a header.
        label: The column to predict.
        wanted: "classification" or "regression"; by default what the label looks like.

    Raises:
        NotFound: If there is no such file.
        UsageError: If it is no table from which a model can learn this label, with the reason.
    """
    table = read_table(file)
    if label not in table.names:
        names = ", ".join(map(repr, table.names[:_SHOWN_COLUMNS]))
        more = len(table.names) - _SHOWN_COLUMNS
        raise UsageError(
            f"penstock init: {file} has no column {label!r}.{_nearest(label, table.names)} "
            f"Columns: {names}{f' and {more} more' if more > 0 else ''}"
        )
    columns = {name: Column.of(name, table.column(name)) for name in table.names}
    target = columns.pop(label)
    task = choose_task(target, wanted)
    if target.present < FEWEST_ROWS:
        raise UsageError(
            f"penstock init: {file} has {target.present} rows with a {label!r}. Expected at least "
            f"{FEWEST_ROWS}: some to train on, some to evaluate on."
        )
    planned = [PlannedColumn(each, *kind_of(each)) for each in columns.values()]
    planned = [_without_giveaway(each, table, task) for each in planned]
    plan = Plan(table, task, tuple(planned))
    if not plan.features:
        reasons = "; ".join(f"{each.name!r} {each.note}" for each in planned)
        reasons = reasons or "there are no other columns"
        raise UsageError(f"penstock init: {file} has no column to learn {label!r} from: {reasons}.")
    _check_names([label, *(each.name for each in plan.features)])
    return plan


def _nearest(word: str, names: Sequence[str]) -> str:
    by_folded = {name.strip().casefold(): name for name in names}
    exact = by_folded.get(word.strip().casefold())
    return f" Did you mean {exact!r}?" if exact else nearest(word, names)


def _without_giveaway(planned: PlannedColumn, table: Table, task: Task) -> PlannedColumn:
    """Leave out a column that may be the answer in other words.

    That is a category of which each value goes with one class only, and a number that orders the rows
    exactly as the label does.
    """
    column = planned.column
    if task.classes:
        is_candidate = 2 <= len(column.cells) <= 20 and column.present >= 10 * len(column.cells)
    else:
        is_candidate = column.is_number and len(column.cells) > 20
    if planned.kind is Kind.IGNORED or not is_candidate:
        return planned
    both = zip(table.column(planned.name), table.column(task.label.name), strict=True)
    pairs = {(cell, label) for cell, label in both if cell and label}
    if task.classes:
        gives_away = len(pairs) == len({cell for cell, _ in pairs})
    else:
        gives_away = _is_monotonic(pairs)
    if not gives_away:
        return planned
    return PlannedColumn(
        column, Kind.IGNORED, "predicts the label on its own: is it known before the label is?"
    )


def _is_monotonic(pairs: Iterable[tuple[str, str]]) -> bool:
    """Return whether the second number always rises with the first, or always falls."""
    ordered = sorted((float(cell.encode()), float(label.encode())) for cell, label in pairs)
    labels = [label for _, label in ordered]
    steps = [after - before for before, after in itertools.pairwise(labels)]
    return all(step >= 0 for step in steps) or all(step <= 0 for step in steps)


def _check_names(names: Sequence[str]) -> None:
    """Refuse names that differ only in what cannot stand in the name of a transformed feature."""
    taken: dict[str, str] = {}
    for name in names:
        plain = re.sub(r"\W", "_", name)
        if plain in taken:
            raise UsageError(
                f"penstock init: the columns {taken[plain]!r} and {name!r} differ only in punctuation. "
                "Rename one of them."
            )
        taken[plain] = name
