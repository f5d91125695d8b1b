"""What the pages of artifacts are put together from: sections, tiles, tables."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from penstock.cards.charts import number
from penstock.cards.markup import Child, Markup, tag
from penstock.cards.row_preview import FirstRows, cell_text, is_numeric
from penstock.cards.tables import table

_LONGEST_CELL = 120
_LONGEST_FIGURE = 8
_MOST_COLUMNS = 60


def section(heading: Child, *children: Child) -> Markup:
    """Return a section of a page."""
    return tag("section", tag("h2", heading), children)


def tiles(facts: Iterable[tuple[object, str]]) -> Markup:
    """Return large figures with what they are below; numbers have their thousands set apart."""
    boxes = []
    for value, label in facts:
        shown = number(value) if value is None or isinstance(value, (int, float)) else str(value)
        kind = "tile text" if len(shown) > _LONGEST_FIGURE else "tile"
        boxes.append(tag("div", tag("b", shown), tag("span", label), class_=kind))
    return tag("div", boxes, class_="tiles")


def verdict(title: str, lines: Sequence[str] = (), *, ok: bool | None = None) -> Markup:
    """Return a box that says how it went: good, bad, or neither."""
    kind = "" if ok is None else "good" if ok else "bad"
    listed = tag("ul", [tag("li", line) for line in lines]) if lines else None
    return tag("div", tag("b", title), listed, class_=f"verdict {kind}")


def fact_table(facts: Mapping[str, Any]) -> Markup:
    """Return names and values; None and empty strings are left out."""
    rows = [
        tag("tr", tag("td", name, class_="soft"), tag("td", value_markup(value), class_="wide"))
        for name, value in facts.items()
        if value is not None and value != ""
    ]
    return tag("div", table([], rows), class_="facts")


def value_markup(value: Any) -> Markup:
    """Return a value: markup as it is, text and JSON in a fixed-width type."""
    if isinstance(value, Markup):
        return value
    if isinstance(value, (dict, list)):
        text = json.dumps(value, indent=2, sort_keys=True, ensure_ascii=False, default=str)
        if len(text) < 80:
            return tag("code", " ".join(text.split()))
        if len(text) < 600:
            return text_block(text)
        return tag("details", tag("summary", f"{len(value)} entries"), text_block(text))
    return tag("code", str(value))


def text_block(text: str) -> Markup:
    """Return text as a program prints it."""
    return tag("pre", text)


def row_table(
    columns: Sequence[str], rows: Iterable[Sequence[Any]], right: Sequence[str] = ()
) -> Markup:
    """Return rows of JSON values as a table; numbers, and the columns `right`, stand at the right."""
    shown = list(rows)
    kept = min(len(columns), _MOST_COLUMNS)
    at_right = [columns[i] in right or is_numeric([row[i] for row in shown]) for i in range(kept)]
    head = [tag("th", columns[i], class_="num" if at_right[i] else None) for i in range(kept)]
    body = [
        tag(
            "tr",
            [tag("td", cell(row[i]), class_="num" if at_right[i] else None) for i in range(kept)],
        )
        for row in shown
    ]
    more = len(columns) - kept
    note = tag("p", f"and {more} more columns", class_="muted") if more > 0 else None
    return tag("div", table(head, body), note, class_="rows")


def cell(value: Any) -> Markup:
    """Return a JSON value as a table shows it, cut if it is long, whole when pointed at."""
    if isinstance(value, Markup):
        return value
    short = cell_text(value, _LONGEST_CELL)
    whole = cell_text(value, 2_000)
    if value is None or value == []:
        return tag("span", "\N{EN DASH}", class_="muted")
    return tag("span", short, title=whole if whole != short else None)


def first_rows_section(found: FirstRows) -> Markup:
    """Return the first rows of a split or a table as a section."""
    shown, name = len(found.rows), f"{found.name}: " if found.name else ""
    if not shown:
        return section(_sentence(f"{name}no rows"))
    total = "" if found.total is None else f" of {number(found.total)}"
    what = f"all {shown} rows" if found.total == shown else f"first {shown}{total} rows"
    if shown == 1 and found.total in (None, 1):
        what = "one row" if found.total else "first row"
    return section(_sentence(f"{name}{what}"), row_table(found.columns, found.rows))


def _sentence(text: str) -> str:
    return text[:1].upper() + text[1:] if ":" not in text else text
