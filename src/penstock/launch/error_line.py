"""An exception in one line."""

from __future__ import annotations

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
    text = " ".join(str(error).split())
    full = name if module in ("builtins", "__main__") else f"{module}.{name}"
    if isinstance(error, ModuleNotFoundError) and (error.name or "").split(".")[0] in _EXTRA_RUN:
        text += f". What executes pipelines is an extra: {install_command('run')}"
    return f"{full}: {text}" if text else full
