"""Seeds, determinism and precision of a process that trains."""

from __future__ import annotations

from penstock.spelling import nearest
from penstock.training.without_tensorflow import without_tensorflow

PRECISIONS = ("float32", "float64", "bfloat16", "mixed_bfloat16", "float16", "mixed_float16")


def make_reproducible(
    seed: int | None, *, deterministic: bool = False, backend: str = "tensorflow"
) -> None:
    """Seed Python, NumPy and Keras, and make the backend use deterministic operations.

    Args:
        seed: The seed, or None to leave the generators alone.
        deterministic: Whether equal inputs and seeds must give bit-equal weights. Operations that
            cannot do so raise an error, and some are slower. Without a seed it uses seed 0, as
            TensorFlow requires one.
        backend: Keras's backend in this process. On JAX operations on a CPU are deterministic anyway;
            those on GPUs by an option of XLA, which the Trainer sets.
    """
    if seed is None and not deterministic:
        return
    import keras

    if backend == "tensorflow":
        import tensorflow as tf

        keras.utils.set_random_seed(seed or 0)
        if deterministic:
            tf.config.experimental.enable_op_determinism()
        return
    with without_tensorflow():
        keras.utils.set_random_seed(seed or 0)
    if deterministic and backend == "torch":
        import torch

        torch.use_deterministic_algorithms(True)


def check_precision(precision: str) -> None:
    """Raise a `ValueError` if `precision` is not a dtype policy."""
    if precision not in PRECISIONS:
        hint = nearest(precision, PRECISIONS)
        raise ValueError(
            f"precision must be one of {list(PRECISIONS)}. Received: {precision!r}.{hint}"
        )


def set_precision(precision: str) -> None:
    """Set Keras's dtype policy for all layers created afterwards.

    Args:
        precision: "float32", or "mixed_bfloat16" and "mixed_float16" for float32 weights with a faster
            computation, or one of the pure types. Loss scaling of "mixed_float16" is Keras's own.
    """
    check_precision(precision)
    import keras

    keras.config.set_dtype_policy(precision)


def forget_layers() -> None:
    """Make Keras name layers as in a fresh process, so that equal models export equal bytes.

    It also forgets the dtype policy; call `set_precision` after it.
    """
    import keras

    # To free memory as well is a garbage collection of 0.3 s beside TensorFlow's many objects.
    keras.utils.clear_session(free_memory=False)
