"""What a check found."""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Iterable, Sequence
from typing import Any, Literal

from penstock.dsl.exceptions import DefinitionError
from penstock.dsl.node import Node
from penstock.graph import GraphNode


@dataclasses.dataclass(frozen=True, slots=True)
class Finding:
    """One thing that is wrong, or may be.

    Attributes:
        level: An error would fail the run; a warning may not.
        place: File, or file and line; empty if unknown.
        message: What was given, what was expected and what to do.
        node: The node that it concerns, or None.
    """

    level: Literal["error", "warning"]
    place: str
    message: str
    node: str | None = None

    def __str__(self) -> str:
        return f"{self.place}: {self.message}" if self.place else self.message

    def to_json(self) -> dict[str, Any]:
        """Return the JSON form."""
        return dataclasses.asdict(self)


class CheckFailed(DefinitionError):
    """A pipeline would fail, and was not begun.

    Args:
        name: Of the pipeline.
        findings: What is wrong.

    Attributes:
        findings: What is wrong.
    """

    def __init__(self, name: str, findings: Iterable[Finding]) -> None:
        self.findings: Sequence[Finding] = tuple(findings)
        lines = [str(each) for each in self.findings]
        if len(lines) > 1:
            lines.append(f"Pipeline {name!r} was not run: {len(lines)} errors.")
        super().__init__("\n".join(lines))


def place_of(node: Node | GraphNode) -> str:
    """Return the line that made a node, as messages name it; empty if unknown."""
    if node.made_at is None:
        return ""
    file, line = node.made_at
    return f"{shown_path(file)}:{line}"


def shown_path(path: str) -> str:
    """Return a path relative to the current folder if it lies below it."""
    relative = os.path.relpath(path)
    return path if relative.startswith("..") else relative
