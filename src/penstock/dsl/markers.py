"""Annotations that mark a component's field as an input, an output, or a special parameter."""

from __future__ import annotations

import dataclasses
from typing import Annotated, Any, Literal, TypeAlias, TypeVar

T = TypeVar("T")


@dataclasses.dataclass(frozen=True)
class Marker:
    """The role that an annotation gives a field."""

    role: Literal["input", "output", "module_file", "external_path"]


Input: TypeAlias = Annotated[T, Marker("input")]
"""`Input[Examples]`: an artifact that is read; `Input[list[Examples]]`: several of them."""

Output: TypeAlias = Annotated[T, Marker("output")]
"""`Output[Schema]`: an artifact that is written."""

ModuleFile: TypeAlias = Annotated[str, Marker("module_file")]
"""Path of a file of user code. The code that it imports is in the cache key, its path is not."""

ExternalPath: TypeAlias = Annotated[str, Marker("external_path")]
"""Path or URL of data from outside. Its content is in the cache key, its path is not."""


@dataclasses.dataclass(frozen=True)
class OutputField:
    """The value of `output()` in the class body."""

    optional: bool


def output(*, optional: bool = False, init: Literal[False] = False) -> Any:
    """Declare an output field: `statistics: Output[ExampleStatistics] = output()`.

    With it, static type checkers do not expect the output in the constructor.

    Args:
        optional: Whether a component may be wired without it (`active_outputs`) or leave it out.
        init: Always False: outputs are not given to the constructor.
    """
    del init
    return OutputField(optional)
