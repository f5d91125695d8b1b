"""Keras on another backend imports TensorFlow wherever it could use it; here it does not."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Iterator
from typing import Any


@contextlib.contextmanager
def without_tensorflow() -> Iterator[None]:
    """Keep Keras from importing TensorFlow within the block, unless this process has it already.

    Seeding, saving a model and reading its configuration import TensorFlow in Keras 3.15 on every
    backend, if it is installed, only to ask whether a value is one of its types
    (`keras.src.utils.module_utils.LazyModule.available`). That costs four seconds and a gigabyte.

    Example:
        >>> with without_tensorflow():
        ...     model.save(path)
    """
    if "tensorflow" in sys.modules:
        yield
        return
    try:
        from keras.src.utils import module_utils
    except ImportError:
        yield
        return
    lazy: list[Any] = [module_utils.tensorflow, module_utils.gfile]
    before = [each._available for each in lazy]
    for each in lazy:
        each._available = False
    try:
        yield
    finally:
        for each, available in zip(lazy, before, strict=True):
            each._available = available
