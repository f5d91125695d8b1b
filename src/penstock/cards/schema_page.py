"""The page about a schema: the constraints on every feature."""

from __future__ import annotations

from typing import TYPE_CHECKING

from penstock.cards.charts import MISSING
from penstock.cards.html_page import HtmlPage, PageContent, data_page
from penstock.cards.markup import Child, Markup, tag
from penstock.cards.schema_rows import SchemaRow, schema_rows

if TYPE_CHECKING:
    from tensorflow_metadata.proto.v0 import schema_pb2

_SHOWN_VALUES = 12


def display_schema(schema: schema_pb2.Schema, title: str = "Schema") -> HtmlPage:
    """Make a page about a schema.

    Args:
        schema: The schema.
        title: What to call it.

    Returns:
        A page, shown by a notebook; `write(path)` stores it.

    Raises:
        TypeError: If `schema` is no Schema.

    Example:
        >>> display_schema(infer_schema(statistics))
    """
    if type(schema).__name__ != "Schema":
        raise TypeError(f"schema must be a Schema proto. Received: {type(schema).__name__}")
    content = schema_content(schema)
    return data_page(kind="Schema", title=title, head=content.head, body=content.body)


def schema_content(schema: schema_pb2.Schema) -> PageContent:
    """Return the content of the page about a schema."""
    rows = schema_rows(schema)
    facts = [(len(rows), "features"), (sum(r.presence == "required" for r in rows), "required")]
    facts.append((sum(bool(r.listed) for r in rows), "with listed values"))
    tiles = [tag("div", tag("b", n), tag("span", label), class_="tile") for n, label in facts]
    sections: list[Child] = [tag("section", tag("h2", "Features"), features_table(rows))]
    environments = [tag("span", name, class_="chip") for name in schema.default_environment]
    if environments:
        chips = tag("div", environments, class_="chips")
        sections.append(tag("section", tag("h2", "Environments"), chips))
    return PageContent(head=[tag("div", tiles, class_="tiles")], body=sections)


def features_table(rows: list[SchemaRow]) -> Markup:
    """Return the features of a schema as a table."""
    titles = ("feature", "type", "presence", "values per row", "domain", "")
    body = [
        tag(
            "tr",
            tag("td", tag("b", row.name)),
            tag("td", tag("span", row.type.lower(), class_="pill")),
            tag("td", row.presence),
            tag("td", row.values or MISSING),
            tag(
                "td",
                row.domain or (None if row.listed else MISSING),
                _chips(row.listed),
                class_="wide",
            ),
            tag("td", [tag("div", note, class_="muted") for note in row.notes]),
        )
        for row in rows
    ]
    head = tag("tr", [tag("th", title) for title in titles])
    return tag(
        "div",
        tag("table", tag("thead", head), tag("tbody", body), class_="data-table"),
        class_="scroll",
    )


def _chips(values: list[str]) -> Markup | None:
    if not values:
        return None
    chips = [tag("span", value or "(empty)", class_="chip") for value in values]
    first = tag("div", chips[:_SHOWN_VALUES], class_="chips")
    if len(chips) <= _SHOWN_VALUES:
        return first
    rest = tag("div", chips[_SHOWN_VALUES:], class_="chips")
    more = tag("details", tag("summary", f"and {len(chips) - _SHOWN_VALUES} more"), rest)
    return tag("div", first, more)
