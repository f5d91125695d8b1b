"""Distribution strategies by name, and the devices that they run on."""

from __future__ import annotations

from typing import TYPE_CHECKING

from penstock.spelling import nearest

if TYPE_CHECKING:
    import tensorflow as tf

DISTRIBUTIONS = ("none", "mirrored")


def check_distribution(name: str) -> None:
    """Raise a `ValueError` if `name` is not a distribution."""
    if name not in DISTRIBUTIONS:
        hint = nearest(name, DISTRIBUTIONS)
        raise ValueError(
            f"distribution must be one of {list(DISTRIBUTIONS)}. Received: {name!r}.{hint}"
        )


def create_strategy(distribution: str) -> tf.distribute.Strategy:
    """Return the `tf.distribute` strategy of a distribution.

    Args:
        distribution: "none" is TensorFlow's default strategy, on one device. "mirrored" keeps a
            copy of the model on each GPU, or on each logical CPU if there is no GPU, and adds up
            their gradients; the batch is split between them.

    Raises:
        ValueError: If there is no such distribution.
        RuntimeError: If "mirrored" finds fewer than two devices.
    """
    check_distribution(distribution)
    import tensorflow as tf

    if distribution == "none":
        return tf.distribute.get_strategy()
    devices = [device.name for device in tf.config.list_logical_devices("GPU")]
    devices = devices or [device.name for device in tf.config.list_logical_devices("CPU")]
    if len(devices) < 2:
        raise RuntimeError(
            f"distribution='mirrored' needs at least two devices and found {len(devices)} "
            f"({', '.join(devices)}). Give the node GPUs by its Resources, or several logical CPU "
            "devices: configure_devices(logical_devices=2) before TensorFlow runs its first operation."
        )
    return tf.distribute.MirroredStrategy(devices)


def use_devices(distribution: str) -> None:
    """Give TensorFlow the devices that a distribution needs.

    "mirrored" uses the GPUs that the process sees, or two logical CPU devices if it sees none.

    Raises:
        RuntimeError: If TensorFlow has started with other devices.
    """
    if distribution != "mirrored":
        return
    import tensorflow as tf

    if len(tf.config.list_physical_devices("GPU")) < 2:
        configure_devices(logical_devices=2)


def configure_devices(*, logical_devices: int = 1, threads: int = 0) -> None:
    """Set how many logical CPU devices and threads TensorFlow has in this process.

    TensorFlow fixes its devices when it runs its first operation; call this before.

    Args:
        logical_devices: How many CPU devices TensorFlow shows; two and more let "mirrored" run without
            GPUs.
        threads: Threads of an operation and between operations; 0 is TensorFlow's choice.

    Raises:
        RuntimeError: If TensorFlow has started with other devices or threads.
    """
    import tensorflow as tf

    if logical_devices < 1:
        raise ValueError(f"logical_devices must be at least 1. Received: {logical_devices}")
    try:
        if threads:
            tf.config.threading.set_intra_op_parallelism_threads(threads)
            tf.config.threading.set_inter_op_parallelism_threads(threads)
        if logical_devices > 1:
            cpus = tf.config.list_physical_devices("CPU")
            configuration = [tf.config.LogicalDeviceConfiguration() for _ in range(logical_devices)]
            if len(tf.config.get_logical_device_configuration(cpus[0]) or []) != logical_devices:
                tf.config.set_logical_device_configuration(cpus[0], configuration)
    except RuntimeError as error:
        raise RuntimeError(
            f"Too late to configure {logical_devices} logical devices and {threads} threads: TensorFlow "
            "has run an operation in this process and fixed its devices. Configure them in a fresh "
            f"process, before anything else. ({error})"
        ) from error
