"""The transform graph of a Transform, as training and export use it."""

from __future__ import annotations

import os
from pathlib import Path
from types import ModuleType
from typing import Any

_LEGACY_KERAS = "TF_USE_LEGACY_KERAS"


def load_transform_output(transform_graph: str) -> Any:
    """Returns the `tft.TFTransformOutput` of a transform graph's folder.

    Args:
        transform_graph: The folder, as `fn_args.transform_graph_path` names it.

    Raises:
        FileNotFoundError: If there is no transform graph.
    """
    if not Path(transform_graph, "transform_fn").exists() and "://" not in transform_graph:
        raise FileNotFoundError(
            f"No transform graph at {transform_graph}: transform_fn/ is missing."
        )
    return import_tensorflow_transform().TFTransformOutput(transform_graph)


def import_tensorflow_transform() -> ModuleType:
    """Imports `tensorflow_transform`, and undoes that its import makes child processes run Keras 2."""
    before = os.environ.get(_LEGACY_KERAS)
    import tensorflow_transform

    if before is None:
        os.environ.pop(_LEGACY_KERAS, None)
    else:
        os.environ[_LEGACY_KERAS] = before
    module: ModuleType = tensorflow_transform
    return module
