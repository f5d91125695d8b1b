"""Errors of a pipeline file: at the user's own line, or with the user's traceback alone."""

from __future__ import annotations

import importlib
import linecache
import os
import re
import traceback
from types import FrameType, TracebackType

import penstock
from penstock.checks.finding import shown_path
from penstock.cli.errors import PipelineFileError
from penstock.dsl import DefinitionError
from penstock.installation import install_command
from penstock.spelling import nearest

_RUN_EXTRA = frozenset(
    {
        "apache_beam", "keras", "keras_tuner", "numpy", "psutil", "pyarrow", "tensorboard",
        "tensorflow", "tensorflow_metadata", "tensorflow_model_analysis", "tensorflow_transform",
        "tfx_bsl",
    }
)  # fmt: skip
"""What the extra `run` installs, by the names that are imported."""

_LONGEST = 20
_PUBLIC = (
    "penstock",
    *(
        f"penstock.{room}"
        for room in (
            "artifacts",
            "components",
            "dsl",
            "io",
            "data_validation",
            "training",
            "transform",
            "tuning",
            "evaluation",
            "serving",
            "cards",
            "testing",
            "store",
            "graph",
        )
    ),
)
"""Where users import from, the likeliest first; importing them imports nothing heavy."""

_PENSTOCK = os.path.dirname(os.path.abspath(penstock.__file__)) + os.sep


def explain_error(error: Exception, path: str) -> PipelineFileError:
    """Return an error of a pipeline file: its line and message, or the user's traceback.

    What Penstock's constructors refuse is told as the user's line and the message. Anything else is
    told with the traceback from the user's file on.
    """
    frames = list(_frames(error.__traceback__))
    user = [place for place, (frame, _) in enumerate(frames) if _is_user(frame)]
    refused = isinstance(error, DefinitionError) or (
        isinstance(error, (ValueError, TypeError))
        and bool(user)
        and user[-1] < len(frames) - 1
        and frames[-1][0].f_code.co_filename.startswith(_PENSTOCK)
    )
    if refused and user:
        frame, line = frames[user[-1]]
        file = frame.f_code.co_filename
        source = linecache.getline(file, line).strip()
        message = f"{shown_path(file)}:{line}: {error}"
        return PipelineFileError(f"{message}\n    {source}" if source else message)
    shown = traceback.TracebackException.from_exception(error)
    _drop_loader(shown)
    text = _shortened("".join(shown.format()).rstrip(), path)
    if (
        isinstance(error, ModuleNotFoundError)
        and (error.name or "").partition(".")[0] in _RUN_EXTRA
    ):
        text += f"\nIt comes with: {install_command('run')}"
    if isinstance(error, ImportError) and (place := _place_of_name(error)):
        text += f"\n{place}"
    return PipelineFileError(text if user else f"{shown_path(path)}: {text}")


def _place_of_name(error: ImportError) -> str | None:
    """Return where a name is that was looked for in another of Penstock's packages; None if nowhere."""
    found = re.match(r"cannot import name '(\w+)' from '(penstock(?:\.\w+)*)'", str(error))
    if found is None:
        return None
    name, asked = found.groups()
    known = {each: set(dir(importlib.import_module(each))) for each in _PUBLIC}
    for package, names in known.items():
        if name in names:
            return f"{name} is in {package}: from {package} import {name}"
    return nearest(name, known.get(asked, ())).strip() or None


def _shortened(text: str, path: str) -> str:
    """Return a traceback in at most 20 lines: where it begins, and where it ends."""
    lines = text.splitlines()
    left_out = len(lines) - _LONGEST + 1
    if left_out <= 1:
        return text
    note = f"  ... {left_out} lines left out: `python {shown_path(path)}` shows them all"
    return "\n".join([*lines[:5], note, *lines[5 + left_out :]])


def _frames(trace: TracebackType | None) -> list[tuple[FrameType, int]]:
    frames = []
    while trace is not None:
        frames.append((trace.tb_frame, trace.tb_lineno))
        trace = trace.tb_next
    return frames


def _is_user(frame: FrameType) -> bool:
    file = frame.f_code.co_filename
    return not (
        file.startswith((_PENSTOCK, "<")) or "site-packages" in file or _is_standard_library(file)
    )


def _is_standard_library(file: str) -> bool:
    return file.startswith(os.path.dirname(os.__file__) + os.sep)


def _drop_loader(shown: traceback.TracebackException) -> None:
    """Remove the frames of Penstock and of the import system, also from what caused it."""
    pending: list[traceback.TracebackException | None] = [shown]
    while pending:
        each = pending.pop()
        if each is None:
            continue
        kept = [
            frame
            for frame in each.stack
            if not frame.filename.startswith((_PENSTOCK, "<frozen importlib"))
            and not frame.filename.endswith(f"importlib{os.sep}__init__.py")
        ]
        each.stack[:] = kept
        pending += [each.__cause__, each.__context__]
