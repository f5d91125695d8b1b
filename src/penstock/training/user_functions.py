"""The user's `run_fn` or `tuner_fn`: finding it, and checking it before anything else runs."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from importlib import import_module
from types import ModuleType
from typing import Any

from penstock.spelling import nearest


class UserFunctionError(ValueError):
    """A user's function is missing, or does not do what it must."""


def place_of(function: Callable[..., Any]) -> str:
    """Return a function's name and where it is defined.

    Example:
        >>> place_of(run_fn)
        'run_fn (/home/me/taxi/modules/taxi.py, line 31)'
    """
    code = getattr(inspect.unwrap(function), "__code__", None)
    name = getattr(function, "__name__", type(function).__name__)
    return name if code is None else f"{name} ({code.co_filename}, line {code.co_firstlineno})"


def user_function(source: ModuleType | Callable[..., Any] | str, name: str) -> Callable[[Any], Any]:
    """Return a function of user code that takes `fn_args`.

    Args:
        source: The module that defines it, the function itself, or its dotted name.
        name: The function's name in a module.

    Raises:
        UserFunctionError: If the module does not define it (the message lists what it defines), or
            if it is not a function of one argument.
    """
    where = name
    function: Any = source
    if isinstance(source, str):
        module_name, _, name = source.rpartition(".")
        where, source = source, import_module(module_name)
    if isinstance(source, ModuleType):
        file = getattr(source, "__file__", None) or source.__name__
        where = f"{name} of {file}"
        function = getattr(source, name, None)
        if function is None:
            defined = [key for key, value in vars(source).items() if inspect.isfunction(value)]
            hint = nearest(name, defined)
            raise UserFunctionError(
                f"{file} does not define {name}(fn_args).{hint} "
                f"It defines: {', '.join(sorted(defined)) or 'no functions'}"
            )
    if not callable(function):
        raise UserFunctionError(f"{where} is not a function. Received: {type(function).__name__}")
    signature = inspect.signature(function)
    try:
        signature.bind(object())
    except TypeError as error:
        raise UserFunctionError(
            f"{where} must take one argument, fn_args. Received: def {name}{signature}"
        ) from error
    return function  # type: ignore[no-any-return]
