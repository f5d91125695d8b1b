"""The code on a page of the documentation, and a script that runs it as it stands.

What a page may say about its own blocks, in comments that a reader does not see:

    <!-- not run: REASON -->    the next block is not run
    <!-- run                    code that is run at this place and not shown
    ... -->
    <!-- exits 1 -->            the commands of the next block end with this exit code

A fence with a title (```python title="modules/metrics.py") is a file: it is written below the page's
folder, or, with the title "modules/metrics.py, at the end", appended to what is there. A `console` block runs its lines that begin with `$`, a `python` block runs in the page's one
script. The other lines of a `console` block, and a `text` block right after a `python` block, are what is
printed: each line must be printed, but for numbers, run ids and white space; `...` stands for anything.
"""

from __future__ import annotations

import re
import textwrap
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
RUN_BY_SHELL = ("penstock", "python", "cat", "head", "cd", "ls")

_PIECES = re.compile(
    r"(?P<indent>^[ ]*)```(?P<language>\w*)[ ]*(?P<attributes>[^\n]*)\n(?P<code>.*?)^(?P=indent)```[ ]*$"
    r"|<!--(?P<comment>.*?)-->",
    re.MULTILINE | re.DOTALL,
)
_RUN_ID = re.compile(r"\b\d{8}-\d{6}(-[0-9a-f]{4})?\b|\b[0-9a-f]{8,}\b")
_IMPORTS = re.compile(r" \(after [\d.]+ s of imports\)")
_NUMBER = re.compile(r"-?\d+([.,]\d+)*(e[-+]?\d+)?")


@dataclass(frozen=True)
class Block:
    """A block of code.

    Args:
        language: Of the fence; "hidden" for a comment that is run.
        code: Its text, without indentation.
        line: Line of the page.
        file: Where it is written, or "".
        not_run: Why it is not run, or "".
        exit_code: That its commands end with.
    """

    language: str
    code: str
    line: int
    file: str = ""
    not_run: str = ""
    exit_code: int = 0


def pages() -> list[Path]:
    """Return every page whose code counts."""
    return [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").rglob("*.md"))]


def blocks(page: Path) -> list[Block]:
    """Return the blocks of a page, in order."""
    text = page.read_text()
    found: list[Block] = []
    not_run, exit_code = "", 0
    for piece in _PIECES.finditer(text):
        line = text.count("\n", 0, piece.start()) + 1
        comment = (piece["comment"] or "").strip()
        if comment.startswith("not run:"):
            not_run = comment.removeprefix("not run:").strip()
        elif comment.startswith("exits "):
            exit_code = int(comment.removeprefix("exits "))
        elif comment.startswith("run\n"):
            found.append(Block("hidden", comment.removeprefix("run\n"), line))
        elif piece["code"] is not None:
            title = re.search(r'title="([^"]+)"', piece["attributes"])
            code = textwrap.dedent(piece["code"])
            file = title[1] if title else ""
            found.append(Block(piece["language"], code, line, file, not_run, exit_code))
            not_run, exit_code = "", 0
    return found


def commands(block: Block) -> list[str]:
    """Return the commands of a `console` block."""
    return re.findall(r"^\$ (.+?)(?: +# .*)?$", block.code.replace("\\\n", " "), re.MULTILINE)


def script(page: Path) -> str:
    """Return Python that does what the page says, in order, in the current folder."""
    name = page.relative_to(ROOT) if page.is_relative_to(ROOT) else page.name
    steps = [_PRELUDE]
    previous = None
    for block in blocks(page):
        place = f"{name}, line {block.line}"
        if block.not_run:
            pass
        elif block.file:
            steps.append(f"_write({block.file!r}, {block.code!r})")
        elif block.language in ("python", "hidden"):
            steps.append(f"_at({place!r})\n{block.code}")
        elif block.language == "console":
            expected = [line for line in block.code.splitlines() if not line.startswith("$ ")]
            steps.append(
                f"_at({place!r})\n_run({commands(block)!r}, {expected!r}, {block.exit_code})"
            )
        elif block.language == "text" and previous and previous.language == "python":
            steps.append(f"_at({place!r})\n_printed({block.code.splitlines()!r})")
        previous = block if not block.not_run else None
    return "\n".join(steps)


def missing_lines(expected: list[str], printed: str) -> list[str]:
    """Return the lines that were not printed."""
    have = [_plain(line) for line in printed.splitlines()]
    missing = []
    for line in expected:
        pattern = ".*".join(map(re.escape, _plain(line).split("...")))
        if pattern and not any(re.fullmatch(pattern, each) for each in have):
            missing.append(line)
    return missing


def _plain(line: str) -> str:
    line = _NUMBER.sub("#", _RUN_ID.sub("ID", _IMPORTS.sub("", line)))
    return re.sub(r"-{2,}|_{2,}", "--", " ".join(line.split()))


_PRELUDE = f"""\
import sys as _sys
_sys.path.insert(0, {str(ROOT / "tests/docs")!r})
from page_steps import at as _at, printed as _printed, run as _run, write as _write
_sys.path.pop(0)
"""
