"""The user's `preprocessing_fn`: what it is called with and what is checked about its answer."""

from __future__ import annotations

import functools
import inspect
import os
from collections.abc import Callable, Mapping
from typing import Any

import tensorflow as tf

from penstock.spelling import nearest
from penstock.transform.features import describe_features
from penstock.transform.optional_features import explain_misuse

PreprocessingFn = Callable[..., Any]

_OUTPUT_DTYPES = (tf.string, tf.int64, tf.float32)


class _Inputs(dict[str, Any]):
    """The features by name; an unknown name is answered with the nearest one."""

    def __missing__(self, name: str) -> Any:
        hint = nearest(str(name), self)
        raise KeyError(
            f"preprocessing_fn asked for the feature {name!r}, which is not in the schema.{hint} "
            f"The schema has: {', '.join(sorted(self))}"
        )


def bind_preprocessing_fn(
    preprocessing_fn: PreprocessingFn, custom_config: Mapping[str, Any] | None
) -> Callable[[Mapping[str, Any]], dict[str, Any]]:
    """Binds `custom_config` and adds the checks that make a failure readable.

    Args:
        preprocessing_fn: takes a dict of tensors by feature name, and `custom_config` if it has a
            parameter of that name; returns a dict of tensors.
        custom_config: handed to `preprocessing_fn`; an empty one where there is None, as in TFX.

    Returns:
        A function of the features alone. An exception of the user's code passes through it with
        its traceback whole and a note that lists the features it received.

    Raises:
        TypeError: if `preprocessing_fn` is not callable.
        ValueError: if there is a `custom_config` that the function does not take.
    """
    if not callable(preprocessing_fn):
        raise TypeError(f"preprocessing_fn must be a function. Received: {preprocessing_fn!r}")
    call = preprocessing_fn
    if "custom_config" in inspect.signature(preprocessing_fn).parameters:
        config = dict(custom_config or {})
        call = functools.partial(preprocessing_fn, custom_config=config)
    elif custom_config:
        raise ValueError(
            "custom_config was given, but preprocessing_fn has no parameter of that name. Declare "
            "it as `def preprocessing_fn(inputs, custom_config):`. "
            f"Received: custom_config={dict(custom_config)!r}"
        )

    function = describe_function(preprocessing_fn)

    @functools.wraps(preprocessing_fn)
    def checked(inputs: Mapping[str, Any]) -> dict[str, Any]:
        features = _Inputs(inputs)
        received = describe_features(features)
        try:
            outputs = call(features)
        except Exception as error:
            explained = explain_misuse(error, features)
            (explained or error).add_note(f"preprocessing_fn received these features:\n{received}")
            if explained is not None:
                raise explained from error
            raise
        _check_outputs(outputs, function)
        return dict(outputs)

    return checked


def describe_function(function: PreprocessingFn) -> str:
    """Return the function with its file and line, as far as they are known."""
    code = getattr(inspect.unwrap(function), "__code__", None)
    if code is None:
        return "preprocessing_fn"
    return f"preprocessing_fn ({os.path.basename(code.co_filename)}, line {code.co_firstlineno})"


def _check_outputs(outputs: Any, function: str) -> None:
    if not isinstance(outputs, Mapping):
        hint = " Does it end without a return statement?" if outputs is None else ""
        raise TypeError(
            f"{function} must return a dict from feature names to tensors. "
            f"Received: {type(outputs).__name__}.{hint}"
        )
    if not outputs:
        raise ValueError(
            f"{function} returned an empty dict. Return at least one tensor, since the rows of "
            "the output are counted by it."
        )
    for name, value in outputs.items():
        if not isinstance(name, str):
            raise TypeError(
                f"{function} must return a dict with strings as keys. "
                f"Received the key {name!r} of type {type(name).__name__}"
            )
        _check_output(name, value, function)


def _check_output(name: str, value: Any, function: str) -> None:
    if not isinstance(value, tf.Tensor | tf.SparseTensor | tf.RaggedTensor):
        hint = ""
        if isinstance(value, bool):
            hint = " (Comparing an optional feature, a tf.SparseTensor, with == gives a bool.)"
        raise TypeError(
            f"{function} must return tensors, but {name!r} is "
            f"{type(value).__name__}. Received: {value!r}{hint}"
        )
    if value.dtype not in _OUTPUT_DTYPES:
        raise TypeError(
            f"{function} returned {name!r} as {value.dtype.name}, which a tf.Example "
            "cannot hold. Cast it to tf.int64, tf.float32 or tf.string. "
            f"Received: {value!r}"
        )
