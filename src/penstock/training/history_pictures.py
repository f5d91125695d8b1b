"""The curves of a training as a picture beside its history."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence

FOLDER = "training_curves"


def draw_history(history: Mapping[str, Sequence[float]], folder: str, log: logging.Logger) -> None:
    """Draw numbers by epoch into `training_curves/`: a PNG file, and a page that needs no other file.

    A training of one epoch has no curve, and nothing is drawn; nor is it where Matplotlib is missing.

    Args:
        history: Values of each epoch by name.
        folder: The folder of the history.
        log: Is told why nothing is drawn.
    """
    from penstock.plots import training_curves, write_pictures

    curves = {name: values for name, values in history.items() if len(values) > 1}
    if not curves:
        return
    try:
        figure = training_curves(curves)
    except ModuleNotFoundError as error:
        log.info("%s", error)
        return
    write_pictures(f"{folder}/{FOLDER}", {FOLDER: figure}, title="Training curves")
