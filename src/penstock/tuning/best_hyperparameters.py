"""The file of the best hyperparameters, as TFX's Tuner writes it and its Trainer reads it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

BEST_HYPERPARAMETERS_FILE = "best_hyperparameters.txt"


def write_best_hyperparameters(config: Mapping[str, Any], folder: str) -> None:
    """Write the best trial's hyperparameters as TFX does.

    Args:
        config: As `keras_tuner.HyperParameters.get_config()` returns it: `space` and `values`.
        folder: Where `best_hyperparameters.txt` goes: the config as JSON.
    """
    path = Path(folder, BEST_HYPERPARAMETERS_FILE)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(config))


def read_best_hyperparameters(folder: str) -> dict[str, Any]:
    """Read what `write_best_hyperparameters` (or TFX's Tuner) wrote."""
    path = Path(folder, BEST_HYPERPARAMETERS_FILE)
    if not path.is_file():
        raise FileNotFoundError(f"No hyperparameters at {path}.")
    try:
        config: dict[str, Any] = json.loads(path.read_text())
    except ValueError as error:
        raise ValueError(f"{path} is damaged: {error}") from error
    return config
