"""A function of user code that a pipeline file names instead of importing it."""

from __future__ import annotations

import importlib
from typing import Any

from penstock.dsl import RuntimeParameter


def as_function(parameter: str, value: Any) -> Any:
    """Returns a function that a parameter was given, also by its dotted name.

    Raises:
        ValueError: If it is a runtime parameter, or a string that is no dotted name.
    """
    if isinstance(value, RuntimeParameter):
        raise ValueError(
            f"{parameter} cannot be a runtime parameter, since its code is part of the cache key. "
            f"Make module_file one. Received: {value!r}"
        )
    return NamedFunction(value, parameter) if isinstance(value, str) else value


class NamedFunction:
    """A function by its dotted name; its module is imported when it is called.

    As a component's parameter it is what the function itself would be: the worker receives the function,
    and the code that its module imports is in the cache key.

    Args:
        name: `package.module.function`, importable from the project's root.
        parameter: whose value it is, for messages.

    Raises:
        ValueError: if it is no dotted name.

    Example:
        NamedFunction("modules.penguin.preprocessing_fn", "preprocessing_fn")
    """

    def __init__(self, name: str, parameter: str) -> None:
        module, _, function = name.rpartition(".")
        if not module or not all(part.isidentifier() for part in name.split(".")):
            raise ValueError(
                f'{parameter} takes a function or its dotted name, "package.module.function", '
                f"importable from the project's root. Received: {name!r}"
            )
        self.__module__, self.__qualname__ = module, function

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """Calls the function."""
        function = getattr(importlib.import_module(self.__module__), self.__qualname__)
        return function(*args, **kwargs)
