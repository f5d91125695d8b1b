"""Imports of TensorFlow and TensorFlow Transform, kept in one place since they cost seconds."""

from __future__ import annotations

import os
from types import ModuleType

from penstock.installation import install_command

_LEGACY_KERAS = "TF_USE_LEGACY_KERAS"


def import_tensorflow_transform() -> ModuleType:
    """Import `tensorflow_transform` and undo its effect on Keras.

    TensorFlow Transform sets `TF_USE_LEGACY_KERAS=1`. From then on `tf.keras` would be Keras 2 in this
    process, unless it has been used before, and in every child. So `tf.keras` is used first, and the
    variable is put back.

    Returns:
        The module `tensorflow_transform`.

    Raises:
        ModuleNotFoundError: if the extra that executes pipelines is not installed.
    """
    before = os.environ.get(_LEGACY_KERAS)
    try:
        import tensorflow as tf

        assert tf.keras.__name__
        import tensorflow_transform
    except ModuleNotFoundError as error:
        raise ModuleNotFoundError(
            f"Transform needs the package {error.name!r}, which is not installed. "
            f"Install it with: {install_command('run')}",
            name=error.name,
        ) from error
    if before is None:
        os.environ.pop(_LEGACY_KERAS, None)
    else:
        os.environ[_LEGACY_KERAS] = before
    module: ModuleType = tensorflow_transform
    return module
