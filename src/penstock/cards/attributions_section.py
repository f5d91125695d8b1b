"""Attributions: how much each feature adds to the predictions, as a table with bars."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from penstock.cards.charts import number
from penstock.cards.markup import Child, Markup, tag
from penstock.cards.metric_words import metric_words
from penstock.cards.tables import table

_MOST = 30


def attribution_tables(message: Any, class_names: Sequence[str] = ()) -> list[Child]:
    """Return a table for each key of an `AttributionsForSlice` message; the largest come first.

    Args:
        message: The message of one slice.
        class_names: The names of the classes.
    """
    from penstock.evaluation.keys import MetricKey
    from penstock.evaluation.metric_values import value_numbers

    tables: list[Child] = []
    for entry in message.attributions_keys_and_values:
        key = MetricKey.from_proto(entry.key)
        values = []
        for feature in entry.values:
            for found in value_numbers(entry.values[feature]):
                if found.value == found.value:
                    place = "" if found.position is None else f" [{found.position:g}]"
                    values.append((f"{feature}{place}", found.value))
        if values:
            words = metric_words(key.label(), class_names=class_names)
            model = f", {key.model_name}" if key.model_name else ""
            tables.append(tag("h3", f"{words}{model}"))
            tables.append(_table(values))
    return tables


def _table(values: Sequence[tuple[str, float]]) -> Markup:
    ordered = sorted(values, key=lambda each: -abs(each[1]))
    largest = abs(ordered[0][1]) or 1.0
    rows = [
        tag(
            "tr",
            tag("td", feature),
            tag("td", number(value), class_="num"),
            tag(
                "td",
                tag(
                    "span",
                    tag("i", style=f"width:{100 * abs(value) / largest:.1f}%"),
                    class_="meter",
                ),
                class_="wide",
            ),
        )
        for feature, value in ordered[:_MOST]
    ]
    head = [tag("th", "Feature"), tag("th", "Attribution", class_="num"), tag("th")]
    return table(head, rows)
