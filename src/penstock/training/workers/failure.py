"""An error of one process, told to another that has none of its modules."""

from __future__ import annotations

import traceback
from dataclasses import dataclass
from types import TracebackType


class MemberFailed(RuntimeError):
    """A process of a group raised, or ended without a word."""


@dataclass(frozen=True, slots=True)
class Failure:
    """What a process raised.

    Attributes:
        member: The process's name.
        type_name: Name of the error's class.
        module: The module of that class.
        text: Its message.
        traceback: Its traceback, from the code on that the process was there to call.
        is_value_error: Whether it is a `ValueError`: of what was given, not a fault.
    """

    member: str
    type_name: str
    module: str
    text: str
    traceback: str
    is_value_error: bool

    @classmethod
    def of(cls, error: BaseException, member: str, frames: TracebackType | None) -> Failure:
        """Return an error as plain text.

        Args:
            error: What was raised.
            member: Name of the process.
            frames: Its traceback, from where it is of interest.
        """
        kind = type(error)
        return cls(
            member,
            kind.__name__,
            kind.__module__,
            _text(error),
            "".join(traceback.format_exception(kind, error, frames)),
            isinstance(error, ValueError),
        )

    def error(self) -> Exception:
        """Return the error, of a class of its name; a note holds its traceback."""
        base = ValueError if self.is_value_error else MemberFailed
        kind = type(self.type_name, (base,), {"__module__": self.module})
        error: Exception = kind(self.text)
        error.add_note(f"In the process {self.member!r}:\n{self.traceback.rstrip()}")
        return error


def _text(error: BaseException) -> str:
    try:
        return str(error)
    except Exception as failure:
        return f"(its message cannot be made: {type(failure).__name__})"
