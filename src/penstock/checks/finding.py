"""Findings of checks."""

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
    """One problem, or possible problem.

    Attributes:
        level: "error" if the run would fail, "warning" if it might not.
        place: File, or file and line; empty if unknown.
        message: What was given, what was expected and what to do.
        node: The node concerned, or None.
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


def told_once(findings: Iterable[Finding]) -> list[Finding]:
    """Return findings with those that several nodes share merged into one that names the nodes."""
    nodes: dict[Any, list[str]] = {}
    first: dict[Any, Finding] = {}
    for each in findings:
        key = (each.level, each.place, each.message)
        first.setdefault(key, each)
        if each.node is not None and each.node not in each.message:
            nodes.setdefault(key, []).append(each.node)
    merged = []
    for key, each in first.items():
        line, newline, rest = each.message.partition("\n")
        named = f" ({', '.join(dict.fromkeys(nodes[key]))})" if key in nodes else ""
        merged.append(dataclasses.replace(each, message=f"{line}{named}{newline}{rest}"))
    return merged


class CheckFailed(DefinitionError):
    """A pipeline would fail, so it was not started.

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
    """Return the line that created a node, as shown in messages; empty if unknown."""
    if node.made_at is None:
        return ""
    file, line = node.made_at
    return f"{shown_path(file)}:{line}"


def shown_path(path: str) -> str:
    """Return a path, made relative to the current folder if it is below it."""
    relative = os.path.relpath(path)
    return path if relative.startswith("..") else relative
