"""Errors of the command line: one clear line and an exit code."""

from __future__ import annotations

from penstock.cli import exit_codes


class CommandError(Exception):
    """Ends the command with a message on standard error.

    Args:
        message: What was given, what was expected and what to do.
        code: The exit code.
    """

    def __init__(self, message: str, code: int = exit_codes.USAGE) -> None:
        super().__init__(message)
        self.code = code


class UsageError(CommandError):
    """What was typed is wrong."""


class NotFound(CommandError):
    """What was named does not exist."""

    def __init__(self, message: str) -> None:
        super().__init__(message, exit_codes.NOT_FOUND)


class PipelineFileError(CommandError):
    """A pipeline file is wrong; the message begins with file and line, or is a traceback."""
