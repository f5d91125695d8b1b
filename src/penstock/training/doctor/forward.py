"""A look into a model: what its layers get and give for a few rows."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from penstock.training.doctor.raw_features import RawFeatures

if TYPE_CHECKING:
    import numpy as np

_MOST_ROWS = 128
_MOST_VALUES = 1 << 20
"""Values of the inputs at most, so that wide rows such as images are fewer."""
_FEW_VALUES = 1 << 20
"""Values of a tensor up to which NumPy is faster than the backend: its operations cost when first used."""
_MOST_KEPT = 1 << 16
"""Values of a layer's input or output at most that are kept to be compared with others."""


@dataclass(frozen=True)
class Pass:
    """One call of a layer.

    Args:
        layer: The layer.
        activation: Name of its activation: "relu", "softmax", "linear"; "" if it has none.
        inputs: What it got, if that is one tensor of rows by columns that is small; else None.
        outputs: What it gave, if that is one small tensor; else None.
        input_is_finite: Whether all numbers that it got are finite.
        output_is_finite: Whether all numbers that it gave are finite.
        largest: The largest output of each unit (last axis, or channels) over all rows and places.
        raw: For a layer with a kernel: the features that it gets as they are, each with the column
            that it gets of it, or None for all of it.
    """

    layer: Any
    activation: str
    inputs: np.ndarray | None
    outputs: np.ndarray | None
    input_is_finite: bool
    output_is_finite: bool
    largest: np.ndarray | None
    raw: list[tuple[str, int | None]] = field(default_factory=list)


@dataclass(frozen=True)
class Look:
    """What a model does with a few rows, in inference mode.

    Args:
        passes: The calls of its layers, inner ones first.
        outputs: The model's outputs by name; by "" if there is one.
        num_rows: How many rows it got.
    """

    passes: list[Pass]
    outputs: dict[str, np.ndarray]
    num_rows: int


def few_rows(batch: Sequence[Any]) -> tuple[Any, ...]:
    """Return the first rows of a batch: 128, or fewer if they are wide."""
    import keras
    import numpy as np

    values = [np.prod(each.shape[1:], dtype=float) for each in keras.tree.flatten(batch[0])]
    rows = int(max(4, min(_MOST_ROWS, _MOST_VALUES // max(1, sum(values)))))
    return tuple(keras.tree.map_structure(lambda each: each[:rows], part) for part in batch)


def look(model: Any, x: Any, features: Mapping[str, np.ndarray] | None = None) -> Look:
    """Return what the layers of a model get and give; works on every backend of Keras.

    The model is called eagerly and in inference mode: no weight, state or random seed changes.

    Args:
        model: The model.
        x: Its input: a few rows.
        features: The same as columns by name, to find out which layers get them as they are.
    """
    import keras

    passes: list[Pass] = []
    raw = RawFeatures(features or {})
    with contextlib.ExitStack() as watched:
        for layer in layers_of(model):
            watched.enter_context(_watched(layer, passes, raw))
        with local_weights(model):
            outputs = model(x, training=False)
    return Look(passes, _by_name(model, outputs), _rows_of(keras.tree.flatten(x)))


def layers_of(model: Any) -> list[Any]:
    """Return the layers within a model and within its layers, each once, in the order of definition."""
    found: dict[int, Any] = {}

    def add(layer: Any) -> None:
        for inner in getattr(layer, "_layers", None) or []:
            if id(inner) not in found:
                found[id(inner)] = inner
                add(inner)

    add(model)
    # Metrics, and losses that are layers of a compiled model, are not in the way from x to y.
    return [each for each in found.values() if hasattr(each, "call")]


def activation_of(layer: Any) -> str:
    """Return the name of what a layer applies at its end: "softmax", "relu"; "" for nothing known."""
    kind = type(layer).__name__
    if kind in ("Softmax", "ReLU"):
        return kind.lower()
    function = getattr(layer, "activation", None)
    if function is None or not callable(function):
        return ""
    name: str = getattr(function, "__name__", "") or type(function).__name__.lower()
    return name


@contextlib.contextmanager
def local_weights(model: Any, replaced: Sequence[tuple[Any, Any]] = ()) -> Iterator[None]:
    """Call the model with this process's copy of its weights, and let nothing that it assigns last.

    An array of JAX may span several processes, which would all have to take part.

    Args:
        model: The model.
        replaced: Variables with the values to use for them.
    """
    import keras

    mapping = list(replaced)
    if keras.backend.backend() == "jax":
        for variable in model.non_trainable_variables if replaced else model.variables:
            value = variable.value
            if not getattr(value, "is_fully_addressable", True):
                mapping.append((variable, value.addressable_data(0)))
    # Keras takes the losses of regularizers from the scope alone, where it finds None.
    known = {id(variable) for variable, _ in mapping}
    mapping += [
        (variable, variable.value)
        for variable in model.trainable_variables
        if getattr(variable, "regularizer", None) is not None and id(variable) not in known
    ]
    with keras.StatelessScope(state_mapping=mapping):
        yield


@contextlib.contextmanager
def _watched(layer: Any, passes: list[Pass], raw: RawFeatures) -> Iterator[None]:
    call = layer.call

    def watched_call(*args: Any, **kwargs: Any) -> Any:
        result = call(*args, **kwargs)
        # In the body of a compiled loop there are no numbers to see.
        with contextlib.suppress(Exception):
            given = args[0] if args else next(iter(kwargs.values()))
            passes.append(_pass(layer, given, result, raw))
        return result

    # Past the layer's own __setattr__, which tracks what it is given.
    object.__setattr__(layer, "call", watched_call)
    try:
        yield
    finally:
        object.__delattr__(layer, "call")


def _pass(layer: Any, given: Any, result: Any, raw: RawFeatures) -> Pass:
    import keras

    inputs = keras.tree.flatten(given)
    outputs = keras.tree.flatten(result)
    one = outputs[0] if len(outputs) == 1 else None
    return Pass(
        layer,
        activation_of(layer),
        _kept(inputs[0]) if len(inputs) == 1 else None,
        None if one is None else _kept(one),
        all(map(is_finite, inputs)),
        all(map(is_finite, outputs)),
        None if one is None else _largest(layer, one),
        raw.within(inputs[0]) if hasattr(layer, "kernel") or hasattr(layer, "cell") else [],
    )


def is_finite(tensor: Any) -> bool:
    """Whether no number of a tensor of any backend is NaN or infinite; what has no numbers is finite."""
    import keras

    if "float" not in keras.backend.standardize_dtype(tensor.dtype):
        return True
    ops, values = cheap_operations(tensor)
    return bool(keras.ops.convert_to_numpy(ops.all(ops.isfinite(values))))


def cheap_operations(tensor: Any) -> tuple[Any, Any]:
    """Return (operations, the tensor as float32 for them): NumPy's for a small tensor, else Keras's."""
    import keras
    import numpy as np

    if np.prod(tensor.shape, dtype=float) > _FEW_VALUES:
        return keras.ops, keras.ops.cast(tensor, "float32")
    return np, as_floats(tensor)


def _kept(tensor: Any) -> np.ndarray | None:
    import numpy as np

    size = float(np.prod(tensor.shape, dtype=float))
    return as_floats(tensor) if 1 <= len(tensor.shape) <= 2 and size <= _MOST_KEPT else None


def as_floats(tensor: Any) -> np.ndarray:
    """Return a tensor of any backend as an array of float32."""
    import keras

    array: np.ndarray = keras.ops.convert_to_numpy(tensor)
    return array.astype("float32", copy=False)


def _largest(layer: Any, tensor: Any) -> np.ndarray | None:
    rank = len(tensor.shape)
    if rank < 2:
        return None
    channels_first = getattr(layer, "data_format", "") == "channels_first" and rank > 2
    axis = 1 if channels_first else rank - 1
    ops, values = cheap_operations(tensor)
    return as_floats(ops.max(values, axis=tuple(i for i in range(rank) if i != axis)))


def _by_name(model: Any, outputs: Any) -> dict[str, np.ndarray]:
    import keras

    if isinstance(outputs, dict):
        return {str(name): as_floats(each) for name, each in outputs.items()}
    flat = keras.tree.flatten(outputs)
    if len(flat) == 1:
        return {"": as_floats(flat[0])}
    names = getattr(model, "output_names", None) or [str(i) for i in range(len(flat))]
    return {name: as_floats(each) for name, each in zip(names, flat, strict=False)}


def _rows_of(tensors: Sequence[Any]) -> int:
    return int(tensors[0].shape[0]) if tensors else 0
