"""An exception in one line."""

from __future__ import annotations

import re

from penstock.installation import install_command

_EXTRA_RUN = frozenset(
    {
        "apache_beam", "google_crc32c", "keras", "keras_tuner", "numpy", "pyarrow", "tensorboard",
        "tensorflow", "tensorflow_metadata", "tensorflow_transform", "tfx_bsl",
    }
)  # fmt: skip
"""Modules that the extra `run` brings."""


def error_line(error: BaseException) -> str:
    """Return `Type: message`, and what to install where a module of an extra is missing."""
    name = type(error).__name__
    module = type(error).__module__
    if isinstance(error, SystemExit):
        return f"SystemExit: the component called exit({error.code!r})"
    text = " ".join(without_graph_stack(str(error)).split())
    full = name if module in ("builtins", "__main__") else f"{module}.{name}"
    if isinstance(error, ModuleNotFoundError) and (error.name or "").split(".")[0] in _EXTRA_RUN:
        text += f". What executes pipelines is an extra: {install_command('run')}"
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
