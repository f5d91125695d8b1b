"""Looking at, and changing, what layers of a Keras model return while the model is called."""

from __future__ import annotations

import contextlib
import functools
from collections.abc import Callable, Iterator, Sequence
from typing import Any


@contextlib.contextmanager
def replaced_calls(
    layers: Sequence[Any], make: Callable[[Any], Callable[..., Any]]
) -> Iterator[None]:
    """Let each layer run `make(layer)` in place of its own `call`, within the block.

    Layers inside of other layers and of nested models are reached, too. The model has to run eagerly.

    Args:
        layers: The layers.
        make: Returns what takes the arguments of `call`.
    """
    with contextlib.ExitStack() as stack:
        for layer in layers:
            # Not by `setattr`, in which Keras tracks what a layer is given.
            vars(layer)["call"] = make(layer)
            stack.callback(vars(layer).pop, "call")
        yield


def changed_calls(
    layers: Sequence[Any], change: Callable[[Any, Any], Any]
) -> contextlib.AbstractContextManager[None]:
    """Let `change(layer, output)` replace what each layer returns, within the block.

    Args:
        layers: The layers.
        change: Returns the new output.
    """

    def changing(layer: Any) -> Callable[..., Any]:
        original = type(layer).call

        @functools.wraps(original)
        def call(*arguments: Any, **options: Any) -> Any:
            return change(layer, original(layer, *arguments, **options))

        return call

    return replaced_calls(layers, changing)


def leaf_layers(model: Any) -> list[Any]:
    """Return the layers that hold no other layers, in the order in which they were made."""
    found = []
    for layer in model._flatten_layers(include_self=False):
        if not list(layer._flatten_layers(include_self=False)):
            found.append(layer)
    return found
