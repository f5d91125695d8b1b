"""Loading a SavedModel with TensorFlow; what goes wrong is said in words."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Iterator, Sequence
from typing import Any

from penstock.io.files.plain_path import plain_path
from penstock.serving.saved_model import ModelError, inspect_saved_model

_UNKNOWN_OPERATION = re.compile(r"Op type not registered '([^']+)'")
_TOO_NEW = re.compile(r"min consumer version \d+ above current version")
_NOISE = re.compile(
    r"Graph execution error|Detected at node|File \"|<stack traces|Node: |\(\d+\) |Original|"
    r"You may be trying to load on a different device"
)


def load_saved_model(path: str, tags: Sequence[str] = ()) -> Any:
    """Return what `tf.saved_model.load` returns.

    Args:
        path: The SavedModel's folder.
        tags: The tags of the graph; that of `serve` by default.

    Raises:
        ModelError: If TensorFlow cannot load it; the message says why, and what to do.
    """
    import tensorflow as tf

    with load_errors(path):
        return tf.saved_model.load(plain_path(path), tags=list(tags) or None)


@contextlib.contextmanager
def load_errors(path: str) -> Iterator[None]:
    """Raise a ModelError in words for what TensorFlow raises while it loads a model.

    Args:
        path: The model's folder.
    """
    try:
        yield
    except Exception as error:
        raise ModelError(_in_words(path, error)) from error


def _in_words(path: str, error: Exception) -> str:
    import tensorflow as tf

    message = str(getattr(error, "message", None) or error)
    here, saved = tf.__version__, _saved_by(path)
    by = f" It was saved by TensorFlow {saved}." if saved else ""
    newer = _number(saved) > _number(here)
    if found := _UNKNOWN_OPERATION.search(message):
        todo = (
            f"Load it with TensorFlow {saved}, or save it again with {here}."
            if newer
            else "If a package such as tensorflow_text defines the operation, import it before you load "
            "the model."
        )
        return (
            f"The model at {path} has the operation {found[1]!r}, which TensorFlow {here} does not know."
            f"{by} {todo}"
        )
    if _TOO_NEW.search(message):
        return f"The model at {path} is for a newer TensorFlow than {here}.{by} Load it with that version."
    todo = f" Perhaps it needs that version: here is {here}." if newer else ""
    return (
        f"TensorFlow {here} cannot load the model at {path}: {_reason(message, error)}.{by}{todo}"
    )


def _saved_by(path: str) -> str:
    """Return the TensorFlow that saved a model; "" if it does not say."""
    try:
        return inspect_saved_model(path).tensorflow_version
    except (ModelError, OSError):
        return ""


def _number(version: str) -> tuple[int, ...]:
    return tuple(int(each) for each in re.findall(r"\d+", version)[:2])


def _reason(message: str, error: Exception) -> str:
    """Return TensorFlow's message without the stack of the graph's nodes."""
    lines = [line.strip() for line in message.partition("[[{{node")[0].splitlines()]
    kept = [line for line in lines if line and not _NOISE.match(line)]
    return (kept[0] if kept else type(error).__name__).rstrip(".")
