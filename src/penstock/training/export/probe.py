"""Some inputs for a model, and its outputs: whether it computes the same under another backend."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from penstock.training.transform_graph import declared_inputs

_ROWS = 4
_ANY_SIZE = 3
# Backends order sums differently. Policies of 16 bits keep 8 to 11 bits of a number.
TOLERANCE = {"rtol": 1e-3, "atol": 1e-4}
COARSE_TOLERANCE = {"rtol": 5e-2, "atol": 5e-2}


def probe_inputs(model: Any) -> Any:
    """Return arrays in the structure of a model's inputs.

    Args:
        model: A Keras model with declared inputs, or one that was called.

    Raises:
        ValueError: If nobody knows what it takes.
    """
    import numpy as np

    declared = declared_inputs(model)
    generator = np.random.default_rng(0)
    if declared is not None:
        return _mapped(declared, lambda each: _array(generator, each.shape, each.dtype))
    shapes = getattr(model, "_build_shapes_dict", None)
    if not shapes:
        raise ValueError(
            f"{type(model).__name__} was never called, so the shapes of its inputs are unknown. "
            "Train it, or call it once, before you export it."
        )
    return _mapped(next(iter(shapes.values())), lambda shape: _array(generator, shape, "float32"))


def values_of(outputs: Any) -> Any:
    """Return a model's outputs as arrays in the same structure."""
    import keras

    return _mapped(outputs, lambda each: keras.ops.convert_to_numpy(each).astype("float32"))


def flat(prefix: str, values: Any) -> dict[str, Any]:
    """Return arrays of a structure by names that `np.savez` takes."""
    if isinstance(values, Mapping):
        parts = list(values.items())
    elif isinstance(values, list | tuple):
        parts = list(enumerate(values))
    else:
        return {prefix: values}
    found: dict[str, Any] = {}
    for key, value in parts:
        found |= flat(f"{prefix}/{key}", value)
    return found


def difference(model: Any, probe: Mapping[str, Any], *, coarse: bool) -> str:
    """Return how a model's outputs differ from those that were written down; "" if they do not.

    Args:
        model: The model, loaded under another backend.
        probe: What was written, by name.
        coarse: Whether it computes in 16 bits.
    """
    import numpy as np

    structure = probe_inputs(model)
    names = list(flat("input", structure))
    if missing := [name for name in names if name not in probe]:
        return f"it has the input {missing[0]}, which it had not where it was trained"
    inputs = _filled(structure, "input", probe)
    outputs = flat("output", values_of(model(inputs, training=False)))
    expected = {name: each for name, each in probe.items() if name.startswith("output")}
    if outputs.keys() != expected.keys():
        return f"its outputs are {sorted(outputs)}, where it was trained {sorted(expected)}"
    tolerance = COARSE_TOLERANCE if coarse else TOLERANCE
    for name, values in expected.items():
        if not np.allclose(outputs[name], values, **tolerance, equal_nan=True):
            furthest = float(np.max(np.abs(outputs[name] - values)))
            return f"its outputs differ by up to {furthest:.3g} from those where it was trained"
    return ""


def _filled(structure: Any, prefix: str, values: Mapping[str, Any]) -> Any:
    if isinstance(structure, Mapping):
        return {key: _filled(each, f"{prefix}/{key}", values) for key, each in structure.items()}
    if isinstance(structure, list | tuple):
        return [_filled(each, f"{prefix}/{key}", values) for key, each in enumerate(structure)]
    return values[prefix]


def _mapped(structure: Any, function: Any) -> Any:
    if isinstance(structure, Mapping):
        return {str(key): _mapped(each, function) for key, each in structure.items()}
    is_shape = isinstance(structure, list | tuple) and all(
        each is None or isinstance(each, int) for each in structure
    )
    if isinstance(structure, list | tuple) and not is_shape:
        return [_mapped(each, function) for each in structure]
    return function(structure)


def _array(generator: Any, shape: Any, dtype: Any) -> Any:
    sizes = [_ROWS, *(_ANY_SIZE if size is None else size for size in tuple(shape)[1:])]
    if "float" in str(dtype):
        return generator.normal(size=sizes).astype("float32")
    return generator.integers(0, 2, sizes).astype("bool" if str(dtype) == "bool" else "int32")
