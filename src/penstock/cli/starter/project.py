"""Writing a project from its plan and the template."""

from __future__ import annotations

import json
import math
import textwrap
from collections.abc import Iterable, Iterator
from pathlib import Path

from penstock.cli.errors import UsageError
from penstock.cli.starter.columns import Kind, date_parts
from penstock.cli.starter.installed import Installed
from penstock.cli.starter.plan import Plan, PlannedColumn
from penstock.cli.starter.table import copy_table
from penstock.cli.starter.task import Task
from penstock.cli.starter.template_text import render
from penstock.io.csv.cell_type import ColumnType

EXAMPLE = Path(__file__).with_name("penguins.csv")
"""The table of projects that are made without one: palmerpenguins 0.1.6, CC0; see data/README.md."""

_SUFFIX = ".template"
_TEMPLATE = Path(__file__).resolve().parents[1] / "template"
_WIDTH = 100

_METRICS = {
    "binary": (
        "AUC", "AUCPrecisionRecall", "BinaryAccuracy", "Precision", "Recall", "CalibrationPlot",
        "ConfusionMatrixPlot",
    ),
    "multiclass": (
        "SparseCategoricalAccuracy", "SparseCategoricalCrossentropy", "MultiClassConfusionMatrixPlot",
    ),
    "regression": (
        "RootMeanSquaredError", "MeanAbsoluteError", "SquaredPearsonCorrelation", "MeanLabel",
        "MeanPrediction",
    ),
}  # fmt: skip
_LOSSES = {"binary": "binary_crossentropy", "multiclass": "sparse_categorical_crossentropy"}
_PREDICTIONS = {"binary": "probability", "multiclass": "probabilities", "regression": "prediction"}

_ANSWERS = {
    "binary": "It returns the `probability` of {positive!r} and the likelier class, its `prediction`.",
    "multiclass": "It returns the `probabilities` of all classes and the likeliest, its `prediction`.",
    "regression": "It returns a `prediction`, in the label's unit.",
}


def write_project(target: Path, name: str, plan: Plan, installed: Installed) -> list[Path]:
    """Write a new project's files and return them.

    Args:
        target: A folder that does not exist or is empty.
        name: The project's name, an identifier.
        plan: What it is made from.
        installed: The Penstock that it asks for.

    Raises:
        UsageError: If a row of the table is broken.
    """
    values = _values(plan, installed)
    data = target / "data" / data_file(plan)
    _copy_data(plan, data)
    written = [data]
    for source in _sources(_TEMPLATE):
        relative = source.relative_to(_TEMPLATE).as_posix().removesuffix(_SUFFIX)
        if relative == "components/labelled_rows.py" and not values["unlabelled"]:
            continue
        text = source.read_text("utf-8")
        text = text.replace("project_name", name).replace("project-name", name.replace("_", "-"))
        file = target / relative.replace("project_name", name)
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(render(text, values), "utf-8")
        written.append(file)
    return written


def _copy_data(plan: Plan, data: Path) -> None:
    """Copy the table, before all else: a broken row that was not looked at leaves nothing behind."""
    made = [folder for folder in (data.parent, *data.parent.parents) if not folder.exists()]
    data.parent.mkdir(parents=True)
    try:
        copy_table(plan.table, data)
    except UsageError:
        data.unlink()
        for folder in made:
            folder.rmdir()
        raise


def data_file(plan: Plan) -> str:
    """Return the name that the table has in the project's folder `data`."""
    name = plan.table.file.name
    return name.removesuffix(".gz").removesuffix(".bz2")


def _sources(folder: Path) -> Iterator[Path]:
    for path in sorted(folder.iterdir()):
        if path.is_dir():
            yield from _sources(path)
        elif path.name.endswith(_SUFFIX):
            yield path


def _values(plan: Plan, installed: Installed) -> dict[str, object]:
    """Return the values for the template's files."""
    return {
        **_table_values(plan),
        **_task_values(plan.task),
        **_training_values(plan),
        **_column_values(plan),
        "example": plan.table.file == EXAMPLE,
        "requirement": quoted(installed.requirement),
        "is_direct": " @ " in installed.requirement,
        "penstock_folder": installed.folder or "",
        "editable": installed.editable,
    }


def _table_values(plan: Plan) -> dict[str, object]:
    table = plan.table
    plain_encoding = table.encoding == "utf-8"
    return {
        "data_file": data_file(plan),
        # In rows that were not looked at labels may be missing, too.
        "unlabelled": plan.task.label.missing > 0 or not table.is_whole,
        "data_file_quoted": quoted(data_file(plan)),
        "looked_at": f"{table.rows:,} rows" if table.is_whole else f"the first {table.rows:,} rows",
        "delimiter": "" if table.delimiter == "," else quoted(table.delimiter),
        "delimiter_quoted": quoted(table.delimiter),
        "encoding": "" if plain_encoding else quoted(table.encoding),
        "tests_encoding": quoted("utf-8-sig" if plain_encoding else table.encoding),
        "na_values": f"[{', '.join(map(quoted, table.na_values))}]" if table.na_values else "",
    }


def _task_values(task: Task) -> dict[str, object]:
    others = [f'{{"class_name": "{e}"}},' for e in _METRICS[task.name] if e != task.metric]
    is_regression = task.name == "regression"
    if is_regression:
        low, high = task.label.numbers[0][0], task.label.numbers[-1][0]
        # The model card shows residuals by it.
        others += [
            "{",
            '    "class_name": "CalibrationPlot",',
            f'    "config": \'"left": {low:.6g}, "right": {high:.6g}\',',
            "},",
        ]
    if task.metric == "MeanAbsoluteError":
        loss = "mean_absolute_error"
    else:
        loss = _LOSSES.get(task.name, "mean_squared_error")
    return {
        **{each: task.name == each for each in _METRICS},
        "label": quoted(task.label.name),
        "label_in_code": f"`{task.label.name}`",
        "label_note": describe(task),
        "answers": _ANSWERS[task.name].format(positive=task.positive),
        "label_values": "tf.cast(inputs[LABEL], tf.int64)"
        if task.classes and task.label.type is ColumnType.FLOAT
        else "inputs[LABEL]",
        "label_argument": ", labels" if is_regression else "",
        "label_given": ", labels" if is_regression else "",
        "positive": quoted(task.positive),
        "negative": quoted(next((each for each in task.classes if each != task.positive), "")),
        "loss": loss,
        "prediction_key": _PREDICTIONS[task.name],
        "metric": task.metric,
        "bound": task.bound,
        "bound_side": "upper_bound" if is_regression else "lower_bound",
        "direction": "LOWER_IS_BETTER" if is_regression else "HIGHER_IS_BETTER",
        "tolerance": task.tolerance if is_regression else -task.tolerance,
        "reason": "\n".join(f"# {line}" for line in textwrap.wrap(task.reason, 62)),
        "other_metrics": "\n".join(others),
    }


def _training_values(plan: Plan) -> dict[str, object]:
    rows = plan.task.label.present
    training = 0.6 * rows
    batch_size = 16 if rows < 500 else 32 if rows < 5000 else 128 if rows < 50_000 else 512
    epochs = 40 if rows < 5000 else 20 if rows < 50_000 else 10
    steps = math.ceil(training / batch_size)
    return {
        "batch_size": batch_size,
        "epochs": epochs,
        "train_steps": steps * epochs,
        "learning_rate": 0.005 if rows < 5000 else 0.002,
        "least_rows": max(1, min(20, rows // 50)),
    }


def _column_values(plan: Plan) -> dict[str, object]:
    dates = plan.of(Kind.DATE)
    flagged = [each for each in plan.features if each.is_flagged]
    lines = []
    for each in dates:
        lines += [
            f"# {each.note}",
            f"{quoted(each.name)}: {_python_tuple(date_parts(each.column))},",
        ]
    slice_by = plan.slice_by
    row = _example_row(plan)
    return {
        "numeric": _listed("NUMERIC", plan.of(Kind.NUMERIC)),
        "long_tailed": _listed("LONG_TAILED", plan.of(Kind.LONG_TAILED)),
        "flagged": _listed("FLAGGED", flagged),
        "categorical": _listed("CATEGORICAL", plan.of(Kind.CATEGORICAL)),
        "ignored": _listed("IGNORED", plan.of(Kind.IGNORED)),
        "dates": "\n".join(["DATES = {", *(f"    {line}" for line in lines), "}"]) if dates else "",
        "missing_date": quoted(_middle_date(dates)) if dates else "",
        "tests_dates": "DATES, " if dates else "",
        "tests_date_names": ", *DATES" if dates else "",
        "slice_by": quoted(slice_by.name) if slice_by else "",
        "row": "\n".join(["row = {", *(f"    {quoted(k)}: {v}," for k, v in row.items()), "}"]),
    }


def describe(task: Task) -> str:
    """Return the prediction task in one line."""
    if not task.classes:
        numbers = task.label.numbers
        return f"a number, {numbers[0][0]:.6g} to {numbers[-1][0]:.6g}"
    shown = [
        f"{' '.join(each.split())[:24]} ({share(count / task.label.present)})"
        for each, count in list(task.classes.items())[:5]
    ]
    more = ", ..." if len(task.classes) > 5 else ""
    return f"{len(task.classes)} classes, {', '.join(shown)}{more}"


def share(part: float) -> str:
    """Return a share in percent."""
    return "<1%" if 0 < part < 0.005 else f"{part:.0%}"


def quoted(text: str) -> str:
    """Return text as a Python string, with the quotes that a formatter would choose."""
    double = json.dumps(text, ensure_ascii=False)
    if text.count('"') <= text.count("'"):
        return double
    return "'" + double[1:-1].replace('\\"', '"').replace("'", "\\'") + "'"


def _listed(name: str, columns: Iterable[PlannedColumn]) -> str:
    lines = []
    for each in columns:
        line = f"    {quoted(each.name)},  # {' '.join(each.note.split())}"
        lines.append(line if len(line) <= _WIDTH else f"{line[: _WIDTH - 3]}...")
    return "\n".join([f"{name} = (", *lines, ")"]) if lines else f"{name} = ()"


def _python_tuple(words: Iterable[str]) -> str:
    shown = [quoted(each) for each in words]
    return f"({', '.join(shown)}{',' if len(shown) == 1 else ''})"


def _middle_date(dates: list[PlannedColumn]) -> str:
    """Return a date from the middle of the first column, long enough for all parts."""
    ordered = sorted(dates[0].column.cells.elements())
    return ordered[len(ordered) // 2][:10] + " 12:00"


def _example_row(plan: Plan) -> dict[str, str]:
    """Return the first row that misses least, as Python values of what the model reads."""
    names = [each.name for each in plan.features]
    columns = [plan.table.column(name) for name in names]
    rows = range(min(plan.table.rows, 1000))
    best = min(rows, key=lambda row: sum(not column[row] for column in columns))
    numbers = {each.name for each in plan.features if each.column.is_number}
    return {
        name: _number(column[best]) if name in numbers else quoted(column[best])
        for name, column in zip(names, columns, strict=True)
        if column[best]
    }


def _number(cell: str) -> str:
    try:
        return str(int(cell))
    except ValueError:
        return str(float(cell))
