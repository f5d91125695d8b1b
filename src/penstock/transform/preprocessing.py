"""The user's `preprocessing_fn`: what it is called with and what is checked about its answer."""

from __future__ import annotations

import difflib
import functools
import inspect
from collections.abc import Callable, Mapping
from typing import Any

import tensorflow as tf

from penstock.transform.features import describe_features

PreprocessingFn = Callable[..., Any]

_OUTPUT_DTYPES = (tf.string, tf.int64, tf.float32)


class _Inputs(dict[str, Any]):
    """The features by name; an unknown name is answered with the nearest one."""

    def __missing__(self, name: str) -> Any:
        near = difflib.get_close_matches(str(name), list(self), n=1)
        hint = f" Did you mean {near[0]!r}?" if near else ""
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

    @functools.wraps(preprocessing_fn)
    def checked(inputs: Mapping[str, Any]) -> dict[str, Any]:
        features = _Inputs(inputs)
        received = describe_features(features)
        try:
            outputs = call(features)
        except Exception as error:
            error.add_note(f"preprocessing_fn received these features:\n{received}")
            raise
        _check_outputs(outputs)
        return dict(outputs)

    return checked


def _check_outputs(outputs: Any) -> None:
    if not isinstance(outputs, Mapping):
        raise TypeError(
            "preprocessing_fn must return a dict from feature names to tensors. "
            f"Received: {type(outputs).__name__}"
        )
    if not outputs:
        raise ValueError(
            "preprocessing_fn returned an empty dict. Return at least one tensor, since the rows of "
            "the output are counted by it."
        )
    for name, value in outputs.items():
        if not isinstance(name, str):
            raise TypeError(
                "preprocessing_fn must return a dict with strings as keys. "
                f"Received the key {name!r} of type {type(name).__name__}"
            )
        if not isinstance(value, tf.Tensor | tf.SparseTensor | tf.RaggedTensor):
            raise TypeError(
                f"preprocessing_fn must return tensors, but {name!r} is "
                f"{type(value).__name__}. Received: {value!r}"
            )
        if value.dtype not in _OUTPUT_DTYPES:
            raise TypeError(
                f"preprocessing_fn returned {name!r} as {value.dtype.name}, which a tf.Example "
                "cannot hold. Cast it to tf.int64, tf.float32 or tf.string. "
                f"Received: {value!r}"
            )
