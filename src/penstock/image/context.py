"""The files that a container engine sends to a build: a folder less what its .dockerignore names.

Source of the rules: Docker's documentation of `.dockerignore`: a line is a pattern from the root of the
context, `**` stands for any folders, `!` takes files back in, and the last line that matches decides.
"""

from __future__ import annotations

import dataclasses
import os
import re
from collections.abc import Iterator


def context_files(folder: str) -> Iterator[str]:
    """Yield the paths of a build's files below its folder, sorted, with `/` between their parts.

    Args:
        folder: The build's context; its `.dockerignore` counts.
    """
    rules = list(_rules(folder))
    found = []
    for path, folders, names in os.walk(folder):
        # What is left out may still be taken back in, so folders are entered nevertheless, but for these.
        folders[:] = [each for each in folders if each not in (".git", "__pycache__")]
        for name in names:
            relative = os.path.relpath(os.path.join(path, name), folder).replace(os.sep, "/")
            if not _is_left_out(relative, rules):
                found.append(relative)
    yield from sorted(found)


@dataclasses.dataclass(frozen=True, slots=True)
class _Rule:
    pattern: re.Pattern[str]
    takes_back: bool


def _rules(folder: str) -> Iterator[_Rule]:
    try:
        with open(os.path.join(folder, ".dockerignore"), encoding="utf-8") as file:
            lines = file.read().splitlines()
    except FileNotFoundError:
        return
    for line in map(str.strip, lines):
        if not line or line.startswith("#"):
            continue
        pattern = line.removeprefix("!").strip().strip("/")
        if pattern.startswith("./"):
            pattern = pattern[2:]
        yield _Rule(re.compile(_expression(pattern)), line.startswith("!"))


def _is_left_out(path: str, rules: list[_Rule]) -> bool:
    left_out = False
    for rule in rules:
        if rule.takes_back == left_out and rule.pattern.fullmatch(path):
            left_out = not rule.takes_back
    return left_out


def _expression(pattern: str) -> str:
    """Return a regular expression for a pattern and everything below what it matches."""
    if pattern in ("", "."):
        return ".*"
    text = ""
    rest = pattern
    while rest:
        if rest.startswith("**/"):
            text, rest = text + "(?:.*/)?", rest[3:]
        elif rest.startswith("**"):
            text, rest = text + ".*", rest[2:]
        elif rest[0] == "*":
            text, rest = text + "[^/]*", rest[1:]
        elif rest[0] == "?":
            text, rest = text + "[^/]", rest[1:]
        elif rest[0] == "[" and "]" in rest[1:]:
            inside, _, rest = rest[1:].partition("]")
            text += f"[{inside}]"
        elif rest[0] == "\\" and len(rest) > 1:
            text, rest = text + re.escape(rest[1]), rest[2:]
        else:
            text, rest = text + re.escape(rest[0]), rest[1:]
    return text + "(?:/.*)?"
