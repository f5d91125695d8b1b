"""Functions of user code that a pipeline file names instead of importing."""

from __future__ import annotations

from typing import Any

from penstock.dsl.named_function import NamedFunction


def as_function(parameter: str, value: Any) -> Any:
    """Return the function given for a parameter, directly or by its dotted name.

    Args:
        parameter: Name of the parameter, for messages.
        value: A function, its dotted name `package.module.function`, or None.

    Raises:
        ValueError: If it is a string that is not a dotted name.
    """
    if not isinstance(value, str):
        return value
    module, _, function = value.rpartition(".")
    if not all(value.split(".")) or "/" in value or not (module and function.isidentifier()):
        raise ValueError(
            f'{parameter} takes a function or its dotted name, "package.module.function", '
            f"importable from the project's root. Received: {value!r}"
        )
    return NamedFunction(module, function)
