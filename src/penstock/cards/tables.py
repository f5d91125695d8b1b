"""Tables and marks of a model card's sections."""

from __future__ import annotations

from collections.abc import Sequence

from penstock.cards.markup import Markup, tag

Section = tuple[str, str, Markup]
"""A section's anchor, heading and body."""


def table(head: Sequence[Markup], rows: Sequence[Markup]) -> Markup:
    """Return a table that scrolls where it is wider than the page."""
    top = tag("thead", tag("tr", head)) if head else None
    return tag("div", tag("table", top, tag("tbody", rows)), class_="scroll")


def pill(text: str, kind: str) -> Markup:
    """Return a word in a coloured frame: kind "good", "bad" or ""."""
    return tag("span", text, class_=f"pill {kind}")
