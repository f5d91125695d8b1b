"""Executing an attempt: the same code in a worker, in a container, in a test."""

from __future__ import annotations

import contextlib
import os
import shutil
import sys
import traceback
from collections.abc import Mapping
from types import TracebackType
from typing import TYPE_CHECKING

from penstock.artifacts import Artifact, location
from penstock.dsl.component import Component
from penstock.dsl.context import ExecutionContext
from penstock.dsl.function_component import FunctionComponent
from penstock.dsl.gates import Rejected
from penstock.dsl.references import resolve
from penstock.dsl.values import decode
from penstock.launch.attempt import Attempt, AttemptResult, output_folder
from penstock.launch.attempt_log import append_to_log, record_log
from penstock.launch.checkpoints import checkpoints_for
from penstock.launch.error_line import error_line
from penstock.launch.outputs import collect_outputs, discard_outputs
from penstock.launch.seeding import seed_everything
from penstock.launch.staging import Staging
from penstock.launch.tracebacks import told_traceback
from penstock.launch.usage_meter import UsageMeter
from penstock.progress import EpochListener, Listener, telling

if TYPE_CHECKING:
    from penstock.io.processes.hosts import Hosts


def execute(
    attempt: Attempt,
    listener: Listener | None = None,
    on_epoch: EpochListener | None = None,
    hosts: Hosts | None = None,
) -> AttemptResult:
    """Run an attempt's component in this process and say how it ended.

    Exceptions of the component become an `AttemptResult` with an error; only `KeyboardInterrupt`
    passes. What a failed attempt wrote is removed, but for what a gate wrote that rejected its inputs.

    Args:
        attempt: What to run; its project's root must be first on the import path.
        listener: Is told how far the component is.
        on_epoch: Is told of each epoch of training.
        hosts: Where the component's own processes run; None for this machine.
    """
    meter = UsageMeter()
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
        resources=attempt.node.bound_resources,
        code_version=attempt.settings.code_version,
        lineage=attempt.lineage,
        hosts=hosts,
    )
    context.attempt = attempt
    staging = Staging(attempt)
    try:
        with record_log(attempt.log_path), telling(listener, on_epoch or _forget):
            local = staging.fetch()
            context.staged = staging.places
            _run(local, context)
            outputs, written = collect_outputs(local)
            outputs = staging.store(outputs)
        return AttemptResult(
            outputs, usage=meter.read(written), metrics=context.metrics, verdict=context.verdict
        )
    except KeyboardInterrupt:
        discard_outputs(attempt.outputs.values())
        raise
    except BaseException as error:
        outputs, written = _kept(attempt, staging, error)
        frames = _frames_from_run(error)
        whole = "".join(traceback.format_exception(type(error), error, frames))
        append_to_log(attempt.log_path, whole)
        return AttemptResult(
            outputs,
            error=error_line(error),
            traceback=told_traceback(error, frames),
            usage=meter.read(written),
            metrics=context.metrics,
            verdict=context.verdict,
            rejected=isinstance(error, Rejected),
        )
    finally:
        staging.remove()
        if context.has_scratch:
            shutil.rmtree(attempt.working_dir, ignore_errors=True)


class _Context(ExecutionContext):
    """A context whose folders are made when they are asked for: most components need none."""

    attempt: Attempt
    has_scratch = False
    _checkpoints = ""

    @property
    def working_dir(self) -> str:
        if not self.has_scratch:
            self.has_scratch = True
            os.makedirs(self._scratch, exist_ok=True)
        return self._scratch

    @working_dir.setter
    def working_dir(self, path: str) -> None:
        self._scratch = path

    @property
    def checkpoint_dir(self) -> str:
        if not self._checkpoints:
            self._checkpoints = checkpoints_for(self.attempt, self.log)
        return self._checkpoints

    @checkpoint_dir.setter
    def checkpoint_dir(self, path: str) -> None:
        """Do nothing: where it lies follows from the attempt."""


def _forget(epoch: int, metrics: Mapping[str, float]) -> None:
    """Keep no epoch: the component alone may ask what it has reported."""


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
        parameters={
            key: decode(value, import_functions=component_class.IMPORTS_FUNCTIONS)
            for key, value in attempt.node.parameters.items()
        },
    )
    component._id = attempt.node.id
    component.check_resources(context.resources)
    component.run(context)


def _kept(
    attempt: Attempt, staging: Staging, error: BaseException
) -> tuple[dict[str, Artifact], int]:
    """Return what is kept of a failed attempt: what a gate wrote about what it rejected."""
    if isinstance(error, Rejected):
        # Whoever rejects before all is written leaves nothing that could be shown.
        with contextlib.suppress(Exception):
            outputs, written = collect_outputs(staging.local)
            return staging.store(outputs), written
    discard_outputs(attempt.outputs.values())
    return {}, 0


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
