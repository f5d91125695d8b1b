"""The part of a traceback shown on the terminal; the node's log has all of it."""

from __future__ import annotations

import os
import re
import sysconfig
import traceback
from collections.abc import Iterator
from types import TracebackType

from penstock.launch.error_line import message_of, printable, without_graph_stack

_PENSTOCK = os.path.dirname(os.path.dirname(os.path.abspath(__file__))) + os.sep
_PACKAGES = frozenset({"site-packages", "dist-packages"})
_INSTALLED = (
    _PENSTOCK,
    *{sysconfig.get_path(name) + os.sep for name in ("stdlib", "platstdlib", "purelib", "platlib")},
)
_LONGEST_LINE = 2000
_FILE = re.compile(r'^ *File "([^"]+)"', re.MULTILINE)


def told_traceback(error: BaseException, frames: TracebackType | None) -> str:
    """Return a traceback from the user's own code on; only the message if that says it all.

    Args:
        error: What a component raised.
        frames: Its traceback from the component's `run` on.

    Example:
        A mistake in a `preprocessing_fn` is told from its line on, without TensorFlow's frames before it;
        a row with too few cells in a CSV file by file and line alone; what a running TensorFlow graph
        raises by its message and its notes. A message of one line is told anyway.
    """
    if is_refusal(error):
        text = str(error)
        return f"{type(error).__name__}: {text}\n" if "\n" in text else ""
    here = frames
    while here is not None and not _is_users(here.tb_frame.f_code.co_filename):
        here = here.tb_next
    notes = getattr(error, "__notes__", ())
    whole = message_of(error)
    message = without_graph_stack(whole)
    elsewhere = [note for note in notes if any(map(_is_users, _FILE.findall(note)))]
    if here is None and elsewhere:
        # The user's code ran in another process: ours only waited for it.
        text = "\n".join([*elsewhere, ""])
    elif here is None and notes and message != whole:
        # A graph that runs has TensorFlow's frames and ours; the notes say which line made the node.
        text = "\n".join([f"{type(error).__name__}: {message}", *notes, ""])
    else:
        text = "".join(traceback.format_exception(type(error), error, here or frames))
    return "".join(map(_cut, printable(text).splitlines(keepends=True)))


def _cut(line: str) -> str:
    """Return a line, or the beginning of one that no terminal should be given."""
    if len(line) <= _LONGEST_LINE:
        return line
    return f"{line[:_LONGEST_LINE]}... ({len(line):,} characters; the log has all of it)\n"


def is_refusal(error: BaseException) -> bool:
    """Whether Penstock refused data or an argument, in words of its own.

    That is a ValueError that Penstock's own code raised without any code of the user's on the way. What
    came through the user's code needs its lines, and any other type of error may be a fault.

    Args:
        error: What was raised, with its traceback and the errors that it was raised from.
    """
    raised = list(_files(error))
    if not isinstance(error, ValueError) or not raised or not raised[-1].startswith(_PENSTOCK):
        return False
    return not any(_is_users(file) for each in _chain(error) for file in _files(each))


def _chain(error: BaseException) -> Iterator[BaseException]:
    here: BaseException | None = error
    while here is not None:
        yield here
        here = here.__cause__ or here.__context__


def _files(error: BaseException) -> Iterator[str]:
    """Yield the files that an error came through, innermost last.

    Notes come first: they hold the traceback of another process that worked for this one.
    """
    for note in getattr(error, "__notes__", ()):
        yield from _FILE.findall(note)
    for frame, _ in traceback.walk_tb(error.__traceback__):
        yield frame.f_code.co_filename


def _is_users(file: str) -> bool:
    if not os.path.isabs(file) or file.startswith(_INSTALLED):
        return False
    # Packages also come from another folder than this environment's: ~/.local, Debian's, a parent's.
    return _PACKAGES.isdisjoint(file.split(os.sep))
