"""The page that says where what introductions teach runs here: resolves each link, and makes the table.

`tests/docs/introductions.toml` has the sections of each introduction with links such as
`modules/digits.py#build_model` (a class, function or variable of that file, or else a text in it), or the
reason why there is none. The site's page is made anew whenever the site is built; the page in the
repository by

    python docs/hooks/introductions_page.py
"""

from __future__ import annotations

import ast
import functools
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
DATA = ROOT / "tests/docs/introductions.toml"
PAGE = "introductions.md"


class BrokenLink(ValueError):
    """A link whose file, symbol or text does not exist."""


@dataclass(frozen=True)
class Place:
    """Where a link leads.

    Args:
        path: The file, from the repository's root.
        line: The line, from 1; 0 for the file as a whole.
        name: The symbol or text.
    """

    path: str
    line: int
    name: str

    def markdown(self) -> str:
        """Return the place as a page in `docs/` shows it: pages as links, code by file and line."""
        line = f":{self.line}" if self.line else ""
        if self.path.startswith("docs/") and self.path.endswith(".md"):
            return f"[{self.path}{line}]({self.path.removeprefix('docs/')})"
        return f"`{self.path}{line}`" + (f" ({self.name})" if self.name.isidentifier() else "")


def resolve(link: str) -> Place:
    """Find the line that a link leads to.

    Raises:
        BrokenLink: If there is none; the message names the link.
    """
    path, _, name = link.partition("#")
    file = ROOT / path
    if not file.exists():
        raise BrokenLink(f"{link}: there is no {path}")
    if not name:
        return Place(path, 0, "")
    if file.suffix == ".py" and (line := _symbols(file).get(name)):
        return Place(path, line, name.rpartition(".")[2])
    for number, text in enumerate(file.read_text().splitlines(), 1):
        if name in text:
            return Place(path, number, name)
    raise BrokenLink(f"{link}: {path} has no {name!r}")


@functools.lru_cache
def _symbols(file: Path) -> dict[str, int]:
    """Return the line of each class, function, method and module variable, by its dotted name."""
    return dict(_defined(ast.parse(file.read_text()), ""))


def _defined(node: ast.AST, prefix: str) -> Iterator[tuple[str, int]]:
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
            yield prefix + child.name, child.lineno
            yield from _defined(child, f"{prefix}{child.name}.")
        elif isinstance(child, ast.Assign | ast.AnnAssign):
            targets = child.targets if isinstance(child, ast.Assign) else [child.target]
            for target in targets:
                if isinstance(target, ast.Name):
                    yield prefix + target.id, child.lineno


def introductions() -> list[dict[str, Any]]:
    """Return the introductions with their sections."""
    return tomllib.loads(DATA.read_text())["introduction"]


def page() -> str:
    """Return the page.

    Raises:
        BrokenLink: If a link leads nowhere.
    """
    lines = [
        "# What introductions teach, and where it runs here",
        "",
        "Many who come here have read one of these introductions to TensorFlow. This is what each of their "
        "sections teaches, as something that runs in this repository with current Keras 3: the file and "
        "the line, or why there is nothing. A test resolves each link.",
    ]
    for each in introductions():
        lines += ["", f"## {each['title']}", "", each["about"], ""]
        lines += ["| section | runs here | |", "| --- | --- | --- |"]
        for title, links, *remark in each["sections"]:
            shown = "<br>".join(resolve(link).markdown() for link in links)
            lines.append(f"| {_cell(title)} | {shown} | {_cell(' '.join(remark))} |")
    return "\n".join(lines) + "\n"


def _cell(text: str) -> str:
    return text.replace("|", "\\|")


def on_page_markdown(markdown: str, page: Any, **_: Any) -> str:
    """Replace the page of the repository by one whose lines are those of now."""
    return globals()["page"]() if page.file.src_uri == PAGE else markdown


if __name__ == "__main__":
    (ROOT / "docs" / PAGE).write_text(page())
