"""The path of a feature in TFDV's form: a tuple of steps with methods."""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import TYPE_CHECKING, Self

if TYPE_CHECKING:
    from tensorflow_metadata.proto.v0 import path_pb2


class FeaturePath(tuple[str, ...]):
    """The steps to a feature: the name of a column, then names of struct fields below it.

    Everything that takes a path also takes a plain tuple.

    Args:
        steps: The names, outermost first.

    Raises:
        TypeError: If a name is given instead of a list of names.

    Example:
        >>> FeaturePath(["trip", "fare"]).parent()
        FeaturePath(('trip',))
    """

    __slots__ = ()

    def __new__(cls, steps: Iterable[str] = ()) -> Self:
        """Make a path; a name alone would be taken for its letters."""
        if isinstance(steps, str):
            raise TypeError(f"steps must be a list of names. Received: steps={steps!r}")
        return super().__new__(cls, steps)

    @classmethod
    def from_proto(cls, path_proto: path_pb2.Path) -> FeaturePath:
        """Return the path that a Path proto holds."""
        return cls(path_proto.step)

    @classmethod
    def from_string(cls, path_string: str) -> FeaturePath:
        """Return the path whose steps are separated by dots."""
        return cls(path_string.split("."))

    @classmethod
    def from_json(cls, path_json: str) -> FeaturePath:
        """Return the path that a JSON list of names holds.

        Raises:
            TypeError: If it is not a list of strings.
        """
        steps = json.loads(path_json)
        if not isinstance(steps, list) or not all(isinstance(step, str) for step in steps):
            raise TypeError(f"path_json must be a JSON list of names. Received: {path_json}")
        return cls(steps)

    def to_proto(self) -> path_pb2.Path:
        """Return the path as a Path proto."""
        from tensorflow_metadata.proto.v0 import path_pb2

        return path_pb2.Path(step=self)

    def to_json(self) -> str:
        """Return the steps as a JSON list."""
        return json.dumps(self)

    def steps(self) -> tuple[str, ...]:
        """Return the steps."""
        return tuple(self)

    def parent(self) -> FeaturePath:
        """Return the path without its last step.

        Raises:
            ValueError: If the path has no steps.
        """
        if not self:
            raise ValueError("An empty path has no parent.")
        return FeaturePath(self[:-1])

    def child(self, child_step: str) -> FeaturePath:
        """Return the path with one more step."""
        return FeaturePath((*self, child_step))

    def __str__(self) -> str:
        return ".".join(self)

    def __repr__(self) -> str:
        return f"FeaturePath({tuple(self)!r})"
