"""An exception in one line."""

from __future__ import annotations

import re

from penstock.installation import install_command

_EXTRA_RUN = frozenset(
    {
        "apache_beam", "google_crc32c", "isal", "keras", "keras_tuner", "numpy", "pyarrow", "tensorboard",
        "tensorflow", "tensorflow_metadata", "tensorflow_transform", "tfx_bsl",
    }
)  # fmt: skip
"""Modules that the extra `run` brings."""
_LONGEST = 2000
_CONTROL = re.compile(r"\x1b\[[0-9;?]*[ -/]*[@-~]|[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]")


def error_line(error: BaseException) -> str:
    """Return `Type: message`, and what to install where a module of an extra is missing."""
    name = type(error).__name__
    module = type(error).__module__
    if isinstance(error, SystemExit):
        return f"SystemExit: the component called exit({error.code!r})"
    text = " ".join(without_graph_stack(message_of(error)).split())
    if len(text) > _LONGEST:
        text = f"{text[:_LONGEST]}... ({len(text):,} characters; the log has all of it)"
    full = name if module in ("builtins", "__main__") else f"{module}.{name}"
    if isinstance(error, ModuleNotFoundError) and (error.name or "").split(".")[0] in _EXTRA_RUN:
        text += f". The packages that execute pipelines are an extra: {install_command('run')}"
    return f"{full}: {text}" if text else full


def without_graph_stack(text: str) -> str:
    """Return the message of an error that a TensorFlow graph raised, without where its node was made.

    TensorFlow puts that stack first, so that the message is what is cut off.

    Example:
        >>> stack = 'Detected at node Cast defined at (most recent call last):\\n  File "a.py", line 3'
        >>> without_graph_stack(f"Graph execution error:\\n\\n{stack}\\n\\nno cast\\n\\t [[{{node Cast}}]]")
        'no cast'
    """
    if not text.startswith("Graph execution error:"):
        return text
    kept = [line for line in text.splitlines() if line.strip() and not _GRAPH_STACK.match(line)]
    return "\n".join(kept) or text


_GRAPH_STACK = re.compile(
    r"Graph execution error:|Detected at node |  File \"|<\.\.\.> ?|Stack trace for op |\t \[\[\{\{node "
    r"|\d+ root error\(s\) found"
)


def message_of(error: BaseException) -> str:
    """Return an exception's message as text that can be printed anywhere; it may fail to give one."""
    try:
        text = str(error)
    except Exception as failure:
        return f"(its message cannot be made: {type(failure).__name__})"
    return printable(text)


def printable(text: str) -> str:
    """Return text without control sequences, such as colours, and with what UTF-8 lacks escaped."""
    plain = _CONTROL.sub("", text)
    return plain.encode("utf-8", "backslashreplace").decode("utf-8")
