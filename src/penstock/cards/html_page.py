"""A self-contained HTML page: shown in a notebook, written to a file, or taken as text."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from html import escape
from importlib import resources
from pathlib import Path

from penstock import __version__
from penstock.cards.markup import Child, Markup, tag


class HtmlPage:
    """A page that needs no other file and no network.

    Args:
        html: The whole document.
        height: How high its frame is in a notebook, in pixels.

    Example:
        >>> page = visualize_statistics(statistics)
        >>> page.write("statistics.html")
    """

    def __init__(self, html: str, height: int = 640) -> None:
        self.html = html
        self._height = height

    def write(self, path: str) -> None:
        """Write the page; folders are made if missing."""
        target = Path(path)
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(self.html, encoding="utf-8")

    def _repr_html_(self) -> str:
        # A frame of its own keeps the page's style away from the notebook's.
        return (
            f'<iframe srcdoc="{escape(self.html)}" style="width:100%;height:{self._height}px;'
            f'border:0;border-radius:12px" loading="lazy"></iframe>'
        )

    def __repr__(self) -> str:
        return f"<HtmlPage of {len(self.html)} characters; write(path) stores it>"


@dataclasses.dataclass(frozen=True)
class PageContent:
    """What a page shows.

    Args:
        head: What stands below the title.
        body: What follows, sections.
        script: The file beside this module that runs the page's controls; empty for none.
    """

    head: Sequence[Child] = ()
    body: Sequence[Child] = ()
    script: str = ""


def data_page(
    *,
    kind: str,
    title: str,
    head: Sequence[Child],
    body: Sequence[Child],
    script: str = "",
    height: int = 640,
) -> HtmlPage:
    """Put a page about data together.

    Args:
        kind: What it is, such as "Statistics".
        title: What it is about.
        head: What stands below the title.
        body: What follows, sections.
        script: The file beside this module that runs the page's controls; empty for none.
        height: How high its frame is in a notebook, in pixels.
    """
    files = resources.files(__package__)
    style = "".join(files.joinpath(name).read_text("utf-8") for name in ("style.css", "data.css"))
    code = files.joinpath(script).read_text("utf-8") if script else None
    page = tag(
        "html",
        tag(
            "head",
            tag("meta", charset="utf-8"),
            tag("meta", name_="viewport", content="width=device-width, initial-scale=1"),
            tag("title", f"{title}: {kind.lower()}"),
            tag("style", Markup(style)),
        ),
        tag(
            "body",
            tag(
                "header",
                tag(
                    "div",
                    tag("div", kind, class_="eyebrow"),
                    tag("h1", title),
                    head,
                    class_="inner data-head",
                ),
            ),
            tag("main", body, tag("footer", f"Made by Penstock {__version__}.")),
            tag("script", Markup(code)) if code else None,
        ),
        lang="en",
    )
    return HtmlPage(f"<!doctype html>\n{page}\n", height)
