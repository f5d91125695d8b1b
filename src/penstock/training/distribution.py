"""Distribution strategies by name, and the devices that they run on."""

from __future__ import annotations

import contextlib
import itertools
from typing import Any

from penstock.training.declared import check_declared

_GROUPS_OF_A_STRATEGY = 1000
_strategies = itertools.count()


def create_strategy(distribution: str, backend: str = "tensorflow") -> Any:
    """Return the strategy of a distribution.

    Args:
        distribution: "none" is one device. "mirrored" keeps a copy of the model on each GPU, or on each
            logical CPU if there is no GPU, and adds up their gradients; the batch is split between
            them. "multi_worker" does so over the processes that `TF_CONFIG` names. "parameter_server"
            lets workers compute on variables that other processes hold; only the chief, which drives
            them, has the strategy. "tpu" is a copy on each core of a TPU. "data_parallel" is Keras's
            own, on JAX: the devices of all processes.
        backend: Keras's backend.

    Raises:
        ValueError: If there is no such distribution, or it does not work with the backend.
        RuntimeError: If the devices that it needs are missing.
    """
    check_declared(distribution, backend)
    if distribution == "data_parallel":
        return _data_parallel()
    if backend != "tensorflow":
        return OneDevice()
    import tensorflow as tf

    if distribution == "none":
        return tf.distribute.get_strategy()
    if distribution == "mirrored":
        return _mirrored()
    if distribution == "multi_worker":
        return tf.distribute.MultiWorkerMirroredStrategy()
    if distribution == "parameter_server":
        resolver = tf.distribute.cluster_resolver.TFConfigClusterResolver()
        return tf.distribute.ParameterServerStrategy(resolver)
    return _tpu()


class OneDevice:
    """The strategy of a backend without strategies: one device.

    Attributes:
        num_replicas_in_sync: 1.
        distribution: None.
    """

    num_replicas_in_sync = 1
    distribution: Any = None

    def scope(self) -> contextlib.AbstractContextManager[Any]:
        """Return a context that changes nothing."""
        return contextlib.nullcontext(self)


class DataParallelDevices(OneDevice):
    """Keras's `DataParallel` on all devices of all processes.

    Args:
        distribution: A `keras.distribution.DataParallel`.
        devices: How many devices it has.
    """

    def __init__(self, distribution: Any, devices: int) -> None:
        self.distribution = distribution
        self.num_replicas_in_sync = devices

    def scope(self) -> contextlib.AbstractContextManager[Any]:
        """Return a context in which models are laid out over the devices."""
        scope: contextlib.AbstractContextManager[Any] = self.distribution.scope()
        return scope


def _mirrored() -> Any:
    import tensorflow as tf

    devices = [device.name for device in tf.config.list_logical_devices("GPU")]
    devices = devices or [device.name for device in tf.config.list_logical_devices("CPU")]
    if len(devices) < 2:
        raise RuntimeError(
            f"distribution='mirrored' needs at least two devices and found {len(devices)} "
            f"({', '.join(devices)}). Give the node GPUs by its Resources, or several logical CPU "
            "devices: configure_devices(logical_devices=2) before TensorFlow runs its first operation."
        )
    # Two strategies of one process, of two Trainers say, would take their sums for each other's: each
    # counts its groups of devices from 1 on, unless it is told another start.
    tf.distribute.MirroredStrategy._collective_key_base = _GROUPS_OF_A_STRATEGY * next(_strategies)
    return tf.distribute.MirroredStrategy(devices)


def _tpu() -> Any:
    import tensorflow as tf

    try:
        resolver = tf.distribute.cluster_resolver.TPUClusterResolver(tpu="local")
        tf.tpu.experimental.initialize_tpu_system(resolver)
    except (ValueError, RuntimeError, tf.errors.OpError) as error:
        reason = str(error).strip().partition("\n")[0]
        raise RuntimeError(
            "distribution='tpu' needs a TPU that this process sees, and found none. Run the node on a "
            "TPU VM or, on Kubeflow, with Resources(accelerator='tpu-v5e', topology='2x4'). "
            f"(TensorFlow says: {reason})"
        ) from error
    return tf.distribute.TPUStrategy(resolver)


def _data_parallel() -> Any:
    import keras

    # The distribution knows its mesh's shape; processes without a group have their own devices only.
    devices = keras.distribution.list_devices()
    if len(devices) < 2:
        raise RuntimeError(
            f"distribution='data_parallel' needs at least two devices and found {len(devices)} "
            f"({', '.join(devices)}). Give the node several by its Resources: replicas=2, or "
            "accelerator_count=2."
        )
    distribution = keras.distribution.DataParallel(devices=devices, auto_shard_dataset=False)
    keras.distribution.set_distribution(distribution)
    return DataParallelDevices(distribution, len(devices))


def use_devices(distribution: str) -> None:
    """Give a process that trains alone the devices that a distribution needs, before its first operation.

    "mirrored" and "data_parallel" use the GPUs that the process sees, or two logical CPU devices if it
    sees none.

    Raises:
        RuntimeError: If TensorFlow or JAX has started with other devices.
    """
    if distribution == "data_parallel":
        import jax

        jax.config.update("jax_num_cpu_devices", 2)
    if distribution == "mirrored":
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
