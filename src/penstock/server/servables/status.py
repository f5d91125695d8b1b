"""The state of a version, in TensorFlow Serving's words."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class State(StrEnum):
    """Where a version is on its way; the values are TensorFlow Serving's `ModelVersionStatus.State`."""

    START = "START"
    LOADING = "LOADING"
    AVAILABLE = "AVAILABLE"
    UNLOADING = "UNLOADING"
    END = "END"


@dataclass(frozen=True)
class VersionStatus:
    """The state of a version.

    Args:
        version: The version.
        state: Where it is on its way.
        error_code: "OK", or the code of the error that ended it, such as "INTERNAL".
        error_message: Why it could not be loaded.
    """

    version: int
    state: State
    error_code: str = "OK"
    error_message: str = ""
