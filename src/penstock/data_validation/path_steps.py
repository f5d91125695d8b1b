"""Paths of features: the name of a column, then names of struct fields below it."""

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tensorflow_metadata.proto.v0 import path_pb2

PathSteps = tuple[str, ...]

_PLAIN_STEP = re.compile(r"\([^()]*\)|[^().']+")


def path_from_proto(proto: "path_pb2.Path", name: str = "") -> PathSteps:
    """Return the path of a feature that is named by a Path proto or by a plain name."""
    return tuple(proto.step) if proto.step else (name,)


def path_to_text(path: PathSteps) -> str:
    """Write a path as the key of an anomaly: steps joined by `.`, odd ones in quotes.

    Example:
        >>> path_to_text(("trip", "pick.up"))
        "trip.'pick.up'"
    """
    steps = []
    for step in path:
        plain = _PLAIN_STEP.fullmatch(step)
        steps.append(step if plain else "'" + step.replace("'", "''") + "'")
    return ".".join(steps)
