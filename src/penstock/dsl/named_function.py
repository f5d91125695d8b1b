"""A function that is given by its name instead of being imported."""

from __future__ import annotations

from typing import Any

from penstock.dsl.references import resolve


class NamedFunction:
    """A function by its name; its module is imported when it is called.

    As a component's parameter it acts like the function itself: the worker receives the function,
    and the code that its module imports is part of the cache key. Defining, checking and planning a
    pipeline do not import the module, which may import TensorFlow.

    Args:
        module: Dotted name of the module, importable from the project's root.
        name: Qualified name of the function in it.

    Example:
        NamedFunction("modules.penguin", "preprocessing_fn")(inputs)
    """

    def __init__(self, module: str, name: str) -> None:
        self.__module__, self.__qualname__ = module, name

    def __repr__(self) -> str:
        return f"{self.__module__}.{self.__qualname__}"

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """Call the function."""
        return resolve(f"{self.__module__}:{self.__qualname__}")(*args, **kwargs)
