"""Loading the Keras form of an exported model, whose gradients and layers can be looked at."""

from __future__ import annotations

from pathlib import Path
from types import ModuleType
from typing import Any


def load_keras_model(file: str, module: ModuleType | None = None) -> Any:
    """Load a `.keras` file on this process's backend, to be called and not trained.

    Args:
        file: `Format-Keras/model.keras` of a Model.
        module: A module whose layers and functions the model uses, if they are not registered with Keras.

    Raises:
        FileNotFoundError: If there is no such file.
        ValueError: If Keras cannot load it, such as for a layer that is not known.
    """
    import keras

    if not Path(file).is_file():
        raise FileNotFoundError(
            f"There is no {file}: gradients and attention need the model's Keras form, which export_model "
            'writes of a Keras model (forms=["keras"], or none named).'
        )
    custom = (
        {} if module is None else {k: each for k, each in vars(module).items() if callable(each)}
    )
    try:
        return keras.saving.load_model(file, custom_objects=custom, compile=False, safe_mode=False)
    except TypeError as error:
        raise ValueError(
            f"Keras cannot load {file}: {str(error).splitlines()[0]} Name the file that defines the "
            "layer in module_file."
        ) from error
