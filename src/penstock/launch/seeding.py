"""Seeding everything random, and asking for determinism."""

from __future__ import annotations

import random
import sys


def seed_everything(seed: int | None, deterministic: bool, uses_tensorflow: bool) -> None:
    """Seed Python, NumPy and, where it is used, TensorFlow and Keras.

    Args:
        seed: The seed; None leaves everything as it is, or is 0 if determinism is asked for.
        deterministic: Whether TensorFlow's operations must be deterministic.
        uses_tensorflow: Whether the component uses TensorFlow.
    """
    if seed is None:
        if not deterministic:
            return
        seed = 0
    random.seed(seed)
    if uses_tensorflow:
        import keras

        keras.utils.set_random_seed(seed)
        if deterministic:
            import tensorflow as tf

            tf.config.experimental.enable_op_determinism()
    elif "numpy" in sys.modules:
        sys.modules["numpy"].random.seed(seed)
