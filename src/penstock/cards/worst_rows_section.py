"""The rows on which a model is most wrong, as tables."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from penstock.cards.charts import number
from penstock.cards.evaluation_plots import class_name
from penstock.cards.markup import Child, Markup, tag
from penstock.cards.tables import table


def worst_rows_tables(found: Mapping[str, Any], class_names: Sequence[str] = ()) -> list[Child]:
    """Return a table for each model and output.

    Args:
        found: What `read_worst_rows` returned.
        class_names: The names of the classes.
    """
    parts: list[Child] = []
    hidden = ", ".join(found["hidden"])
    if hidden:
        parts.append(tag("p", f"Not shown, since the schema tags them as PII: {hidden}."))
    rows = list(found["rows"])
    if not rows:
        parts.append(tag("p", "No row has an error."))
    for model, output in dict.fromkeys((row["model"], row["output"]) for row in rows):
        own = [row for row in rows if (row["model"], row["output"]) == (model, output)]
        title = ", ".join(part for part in (output, model) if part)
        several = len({(row["model"], row["output"]) for row in rows}) > 1
        parts.append(tag("h3", title) if title and several else None)
        parts.append(_table(own, str(found["id_key"]), class_names))
    return parts


def _table(rows: Sequence[Mapping[str, Any]], id_key: str, class_names: Sequence[str]) -> Markup:
    of_classes = any(row["label_score"] is not None for row in rows)
    baseline = any(row["baseline"] is not None for row in rows)
    features = list(dict.fromkeys(name for row in rows for name in row["features"]))

    def shown(value: float | None) -> str:
        if of_classes and value is not None:
            return class_name(int(value), class_names) if value >= 0 else "not a class of the model"
        return number(value)

    binary = not of_classes and len(class_names) == 2

    def label(value: float | None) -> str:
        return class_names[int(value)] if binary and value in (0.0, 1.0) else shown(value)

    head = [id_key, "Label", "Prediction"]
    head += ["Its score", "Score of the label"] if of_classes else []
    head += ["Baseline's prediction"] if baseline else []
    right = len(head)
    made = []
    for row in rows:
        cells = [row["id"], label(row["label"]), shown(row["prediction"])]
        if of_classes:
            cells += [number(row["score"]), number(row["label_score"])]
        if baseline:
            cells.append(shown(row["baseline"]))
        cells.append("not a number" if row["error"] is None else number(row["error"]))
        cells += [row["features"].get(name, "") for name in features]
        made.append(
            tag(
                "tr",
                [
                    tag("td", c, class_="num" if 0 < i <= right else None)
                    for i, c in enumerate(cells)
                ],
            )
        )
    names = [*head, "Error", *features]
    columns = [tag("th", n, class_="num" if 0 < i <= right else None) for i, n in enumerate(names)]
    return table(columns, made)
