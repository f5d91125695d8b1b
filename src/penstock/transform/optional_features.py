"""Messages for a `preprocessing_fn` that uses an optional feature as if every row had a value.

A feature without a fixed shape in the schema is a `tf.SparseTensor` or `tf.RaggedTensor`, and TensorFlow's
own errors neither name the feature nor say why it is one.
"""

from __future__ import annotations

import ast
import itertools
import linecache
import os
import sysconfig
import textwrap
from collections.abc import Iterable, Iterator, Mapping
from types import CodeType, FrameType, TracebackType
from typing import Any

import tensorflow as tf
from tensorflow_transform import graph_tools, tf_utils

_COMPOSITE = tf.SparseTensor | tf.RaggedTensor
# What TensorFlow and Python say of a tensor that is not dense.
_SIGNS = ("SparseTensor", "RaggedTensor", "NOT CONVERTIBLE TO TENSOR")
_INSTALLED = (
    os.path.dirname(os.path.dirname(os.path.dirname(tf.__file__))) + os.sep,
    os.path.dirname(os.path.dirname(__file__)) + os.sep,
    sysconfig.get_path("stdlib") + os.sep,
)
_DEFAULTS = {tf.string: '""', tf.float32: "0.0"}


def explain_misuse(error: Exception, features: Mapping[str, Any]) -> TypeError | None:
    """Return an error that says which optional feature was used as a dense one, and what to do.

    Args:
        error: What `preprocessing_fn` raised.
        features: What it received, by name.

    Returns:
        An error with a traceback that ends at the user's line; None if `error` is about something else.
    """
    optional = {name: value for name, value in features.items() if isinstance(value, _COMPOSITE)}
    if not optional or not any(sign in str(error) for sign in _SIGNS):
        return None
    calls = list(_calls(error.__traceback__))
    last = max((i for i, call in enumerate(calls) if _is_users(call.tb_frame)), default=None)
    if last is None:
        return None
    used = [value for call in calls[last + 1 :] for value in _tensors(call.tb_frame.f_locals)]
    names = [name for value in reversed(used) for name in _origins(value, optional)]
    if not names:
        names = list(_names_in_line(calls[last], optional))
    distinct = list(dict.fromkeys(names)) or list(optional)
    explained = TypeError(_message(error, calls[last], distinct, optional, bool(names)))
    return explained.with_traceback(_cut_after(calls[: last + 1]))


def _message(
    error: Exception,
    call: TracebackType,
    names: list[str],
    features: Mapping[str, Any],
    certain: bool,
) -> str:
    name = names[0]
    kind = type(features[name]).__name__
    default = _DEFAULTS.get(features[name].dtype, "0")
    where = f"{os.path.basename(call.tb_frame.f_code.co_filename)}, line {call.tb_lineno}"
    which = f"the optional feature {name!r} is"
    if not certain or len(names) > 1:
        which = f"one of the optional features {', '.join(map(repr, names))} is"
    summary = textwrap.shorten(f"{type(error).__name__}: {error}", 200, placeholder=" ...")
    return (
        f"{where}: {which} used as if every row had a value. The schema gives it no fixed shape, "
        f"since it may be missing or have several values in a row, so it is a tf.{kind}. "
        "Fill in the missing values first:\n"
        "    from penstock.transform import fill_missing\n"
        f'    fill_missing(inputs["{name}"], {default})  # a tf.Tensor of shape (rows, 1)\n'
        "If every row does have one value, let the schema say so: SchemaGen(infer_feature_shape=True).\n"
        f"TensorFlow's own message was: {summary}"
    )


def _calls(start: TracebackType | None) -> Iterator[TracebackType]:
    while start is not None:
        yield start
        start = start.tb_next


def _is_users(frame: FrameType) -> bool:
    return is_users_file(frame.f_code.co_filename)


def is_users_file(file: str) -> bool:
    """Whether a file is of the user's own code: not TensorFlow's, ours or Python's."""
    return not file.startswith(("<", *_INSTALLED))


def _cut_after(calls: list[TracebackType]) -> TracebackType | None:
    below = None
    for call in reversed(calls):
        below = TracebackType(below, call.tb_frame, call.tb_lasti, call.tb_lineno)
    return below


def _tensors(values: Mapping[str, Any]) -> Iterator[Any]:
    for value in values.values():
        inner: Iterable[Any] = [value]
        if isinstance(value, list | tuple):
            inner = value
        elif isinstance(value, dict):
            inner = value.values()
        yield from (each for each in inner if isinstance(each, _COMPOSITE))


def _origins(tensor: Any, features: Mapping[str, Any]) -> Iterator[str]:
    """Return the features that a tensor is, or is made of."""
    sources = _sources(tensor)
    for name, value in features.items():
        if value is tensor or sources & _sources(value):
            yield name


def _sources(tensor: Any) -> set[Any]:
    components = tf.nest.flatten(tensor, expand_composites=True)
    if any(tf.is_tensor(each) and not tf.is_symbolic_tensor(each) for each in components):
        return set()
    found = graph_tools.retrieve_sources([each.op for each in components])
    return {tf_utils.hashable_tensor_or_op(source) for source in found}


def _names_in_line(call: TracebackType, features: Mapping[str, Any]) -> Iterator[str]:
    """Return the features that the failing expression names, as `inputs["age"]` or by a variable."""
    segment = _failing_source(call.tb_frame.f_code, call.tb_lasti)
    try:
        tree = ast.parse(segment.strip(), mode="eval")
    except SyntaxError:
        return
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and node.value in features:
            yield str(node.value)
        elif isinstance(node, ast.Name):
            value = call.tb_frame.f_locals.get(node.id)
            if isinstance(value, _COMPOSITE):
                yield from _origins(value, features)


def _failing_source(code: CodeType, instruction: int) -> str:
    positions = next(itertools.islice(code.co_positions(), instruction // 2, None), None)
    if positions is None or None in positions:
        return ""
    start, end, first, last = (each or 0 for each in positions)
    lines = [linecache.getline(code.co_filename, number) for number in range(start, end + 1)]
    # Columns count bytes.
    encoded = [line.encode() for line in lines]
    if len(encoded) == 1:
        return encoded[0][first:last].decode()
    joined = [encoded[0][first:], *encoded[1:-1], encoded[-1][:last]]
    return f"({b''.join(joined).decode()})"
