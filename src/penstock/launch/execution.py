"""Executing an attempt: the same code in a worker, in a container, in a test."""

from __future__ import annotations

import contextlib
import gc
import logging
import os
import random
import resource
import shutil
import sys
import time
import traceback
from collections.abc import Iterable, Iterator
from io import TextIOWrapper
from types import TracebackType

from penstock.artifacts import Artifact, ValueArtifact, location
from penstock.artifacts.fingerprint import fingerprint
from penstock.dsl.component import Component
from penstock.dsl.context import ExecutionContext
from penstock.dsl.function_component import FunctionComponent
from penstock.dsl.gates import Rejected
from penstock.dsl.references import resolve
from penstock.dsl.values import decode
from penstock.installation import install_command
from penstock.launch.attempt import Attempt, AttemptResult, output_folder, stamp
from penstock.launch.tracebacks import told_traceback
from penstock.progress import Listener, telling
from penstock.store.records import Usage

_EXTRA_RUN = frozenset(
    {
        "apache_beam", "google_crc32c", "keras", "keras_tuner", "numpy", "pyarrow", "tensorboard",
        "tensorflow", "tensorflow_metadata", "tensorflow_transform", "tfx_bsl",
    }
)  # fmt: skip
"""Modules that the extra `run` brings."""


class OutputError(RuntimeError):
    """A component ended without an error but did not write what it declares."""


def execute(attempt: Attempt, listener: Listener | None = None) -> AttemptResult:
    """Run an attempt's component in this process and say how it ended.

    Exceptions of the component become an `AttemptResult` with an error; only `KeyboardInterrupt`
    passes. What a failed attempt wrote is removed, but for what a gate wrote that rejected its inputs.

    Args:
        attempt: What to run; its project's root must be first on the import path.
        listener: Is told how far the component is.
    """
    meter = _Meter()
    context = _Context(
        node_id=attempt.node.id,
        execution_id=attempt.execution_id,
        run_id=attempt.settings.run_id,
        pipeline_name=attempt.settings.pipeline,
        working_dir=attempt.working_dir,
        project_root=attempt.settings.project_root,
        seed=attempt.settings.seed,
        deterministic=attempt.settings.deterministic,
        beam_pipeline_args=attempt.node.beam_pipeline_args,
        accelerators=attempt.accelerators,
        lineage=attempt.lineage,
    )
    try:
        with _record_log(attempt), telling(listener):
            _run(attempt, context)
            outputs, written = _collect(attempt)
        return AttemptResult(
            outputs, usage=meter.read(written), metrics=context.metrics, verdict=context.verdict
        )
    except KeyboardInterrupt:
        discard_outputs(attempt.outputs.values())
        raise
    except BaseException as error:
        outputs, written = _kept(attempt, error)
        frames = _frames_from_run(error)
        whole = "".join(traceback.format_exception(type(error), error, frames))
        _append(attempt.log_path, whole)
        return AttemptResult(
            outputs,
            error=_one_line(error),
            traceback=told_traceback(error, frames),
            usage=meter.read(written),
            metrics=context.metrics,
            verdict=context.verdict,
            rejected=isinstance(error, Rejected),
        )
    finally:
        if context.has_scratch:
            shutil.rmtree(attempt.working_dir, ignore_errors=True)


class _Context(ExecutionContext):
    """A context whose scratch folder is made when it is asked for: most components need none."""

    has_scratch = False

    @property
    def working_dir(self) -> str:
        if not self.has_scratch:
            self.has_scratch = True
            os.makedirs(self._scratch, exist_ok=True)
        return self._scratch

    @working_dir.setter
    def working_dir(self, path: str) -> None:
        self._scratch = path


def _run(attempt: Attempt, context: ExecutionContext) -> None:
    if attempt.node.uses_tensorflow and "keras" in sys.modules:
        # Names of layers count up in a process: equal inputs must not give other files because of
        # what ran before.
        sys.modules["keras"].utils.clear_session()
    seed_everything(context.seed, context.deterministic, attempt.node.uses_tensorflow)
    component_class: type[Component] = resolve(attempt.node.component)
    for artifact in attempt.outputs.values():
        location.make_folder(output_folder(artifact))
    component = component_class.bind(
        inputs=attempt.inputs,
        outputs=attempt.outputs,
        parameters={key: decode(value) for key, value in attempt.node.parameters.items()},
    )
    component._id = attempt.node.id
    component.run(context)


def _kept(attempt: Attempt, error: BaseException) -> tuple[dict[str, Artifact], int]:
    """Return what is kept of a failed attempt: what a gate wrote about what it rejected."""
    if isinstance(error, Rejected):
        # Whoever rejects before all is written leaves nothing that could be shown.
        with contextlib.suppress(Exception):
            return _collect(attempt)
    discard_outputs(attempt.outputs.values())
    return {}, 0


def _collect(attempt: Attempt) -> tuple[dict[str, Artifact], int]:
    """Return what was written, fingerprinted, and its size.

    Raises:
        OutputError: If an output that is not optional is empty.
    """
    outputs: dict[str, Artifact] = {}
    total = 0
    for key, artifact in attempt.outputs.items():
        if _is_empty(artifact):
            if not attempt.node.outputs[key].optional:
                raise OutputError(
                    f"{attempt.node.id} ended without writing its output {key!r} "
                    f"({artifact.TYPE_NAME}) to {artifact.uri}. Write to it, or declare it with "
                    "output(optional=True)."
                )
            location.remove(output_folder(artifact))
            continue
        artifact.fingerprint, size = fingerprint(artifact.uri)
        stamp(artifact)
        total += size
        outputs[key] = artifact
    return outputs, total


def _is_empty(artifact: Artifact) -> bool:
    if isinstance(artifact, ValueArtifact):
        return not location.exists(artifact.value_uri)
    if artifact.properties or artifact.custom_properties:
        return False
    return not location.list_files(artifact.uri)


def discard_outputs(artifacts: Iterable[Artifact]) -> None:
    """Remove what an attempt wrote, as far as that is possible."""
    for artifact in artifacts:
        with contextlib.suppress(Exception):
            location.remove(output_folder(artifact))


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


@contextlib.contextmanager
def _record_log(attempt: Attempt) -> Iterator[None]:
    """Send Python's log records to the attempt's log file as well."""
    handler = _LogFile(attempt.log_path)
    root = logging.getLogger()
    node_log = logging.getLogger("penstock.node")
    level = node_log.level
    node_log.setLevel(logging.INFO)
    root.addHandler(handler)
    try:
        yield
    finally:
        root.removeHandler(handler)
        node_log.setLevel(level)
        handler.close()


class _LogFile(logging.FileHandler):
    """A log file that is made, with its folder, by the first record."""

    def __init__(self, path: str) -> None:
        super().__init__(path, encoding="utf-8", delay=True)
        self.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(name)s: %(message)s"))

    def emit(self, record: logging.LogRecord) -> None:
        """Write a record; one that cannot be written is lost, the component goes on."""
        with contextlib.suppress(OSError):
            super().emit(record)

    def _open(self) -> TextIOWrapper:
        os.makedirs(os.path.dirname(self.baseFilename), exist_ok=True)
        return super()._open()


def _append(log_path: str, text: str) -> None:
    """Add to a log; where the disk is full it is lost."""
    with contextlib.suppress(OSError):
        os.makedirs(os.path.dirname(log_path), exist_ok=True)
        with open(log_path, "a", encoding="utf-8") as log:
            log.write(text)


def _one_line(error: BaseException) -> str:
    name = type(error).__name__
    module = type(error).__module__
    if isinstance(error, SystemExit):
        return f"SystemExit: the component called exit({error.code!r})"
    text = " ".join(str(error).split())
    full = name if module in ("builtins", "__main__") else f"{module}.{name}"
    if isinstance(error, ModuleNotFoundError) and (error.name or "").split(".")[0] in _EXTRA_RUN:
        text += f". What executes pipelines is an extra: {install_command('run')}"
    return f"{full}: {text}" if text else full


def _frames_from_run(error: BaseException) -> TracebackType | None:
    """Return the traceback from the component's `run` on."""
    frames = error.__traceback__
    here = frames
    while here is not None:
        code = here.tb_frame.f_code
        if (code is _run.__code__ or code is FunctionComponent.run.__code__) and here.tb_next:
            frames = here.tb_next
        here = here.tb_next
    return frames


class _Meter:
    """Measures time, CPU seconds and peak memory from when it is made."""

    def __init__(self) -> None:
        gc.collect(0)
        with contextlib.suppress(OSError), open("/proc/self/clear_refs", "w") as file:
            # Resets the peak (proc(5)), so that a warm worker's past is not counted.
            file.write("5")
        self._started = time.perf_counter()
        self._cpu = _cpu_seconds()

    def read(self, bytes_written: int) -> Usage:
        return Usage(
            wall_seconds=time.perf_counter() - self._started,
            cpu_seconds=_cpu_seconds() - self._cpu,
            peak_rss_bytes=_peak_rss_bytes(),
            bytes_written=bytes_written,
        )


def _cpu_seconds() -> float:
    own = resource.getrusage(resource.RUSAGE_SELF)
    children = resource.getrusage(resource.RUSAGE_CHILDREN)
    return own.ru_utime + own.ru_stime + children.ru_utime + children.ru_stime


def _peak_rss_bytes() -> int:
    try:
        with open("/proc/self/status") as file:
            for line in file:
                if line.startswith("VmHWM:"):
                    return int(line.split()[1]) * 1024
    except OSError:
        pass
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * 1024
