"""Building HTML and SVG from Python: everything is escaped, unless it was built here."""

from __future__ import annotations

from collections.abc import Iterable
from html import escape


class Markup(str):
    """Text that is markup already."""

    __slots__ = ()


Child = str | int | float | None | Iterable["Child"]

_VOID = {"meta", "input", "line", "rect", "circle", "path", "polyline", "br", "link"}


def tag(element: str, /, *children: Child, **attributes: object) -> Markup:
    """Return an element.

    Args:
        element: The element's name, such as "td".
        children: Text, which is escaped, markup, and lists of them; None is left out.
        attributes: An underscore at the end is dropped (`class_`) and others become hyphens; None and
            False are left out, True is a bare attribute.

    Example:
        >>> tag("p", "a < b", class_="note")
        '<p class="note">a &lt; b</p>'
    """
    parts = [f"<{element}"]
    for key, value in attributes.items():
        if value is None or value is False:
            continue
        label = key.rstrip("_").replace("_", "-")
        text = f"{value:.6g}" if isinstance(value, float) else str(value)
        parts.append(f" {label}" if value is True else f' {label}="{escape(text)}"')
    content = join(children)
    if not content and element in _VOID:
        return Markup("".join(parts) + "/>")
    return Markup(f"{''.join(parts)}>{content}</{element}>")


def join(children: Iterable[Child]) -> Markup:
    """Return children one after another, text escaped."""
    parts = []
    for child in children:
        if child is None:
            continue
        if isinstance(child, Markup):
            parts.append(str(child))
        elif isinstance(child, str | int | float):
            parts.append(escape(str(child)))
        else:
            parts.append(str(join(child)))
    return Markup("".join(parts))
