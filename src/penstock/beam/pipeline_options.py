"""From `beam_pipeline_args` to a Beam pipeline."""

from __future__ import annotations

import dataclasses
import hashlib
import re
import uuid
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Protocol

from penstock.artifacts import location
from penstock.installation import install_command

_LOCAL = {"DirectRunner", "BundleBasedDirectRunner", "SwitchingDirectRunner"}
_IN_MEMORY = "FnApiRunner"
_LOOPBACK_BY_DEFAULT = {"PrismRunner", "FlinkRunner", "SparkRunner"}
_LONGEST_NAME = 63
_UNSUPPORTED = {
    "DaskRunner": "it loses rows of tagged and finished bundles without an error",
}


def runner_name(beam_pipeline_args: Sequence[str]) -> str | None:
    """Return the runner that the arguments name; None if they name none.

    Args:
        beam_pipeline_args: e.g. `("--runner=DataflowRunner", "--project=p")`, or with the value as an
            argument of its own.

    Raises:
        ValueError: if `--runner` comes last, without a value, or names a runner that gives wrong
            results.
    """
    args = list(beam_pipeline_args)
    found = None
    for position, arg in enumerate(args):
        if arg.startswith("--runner="):
            found = arg.removeprefix("--runner=")
        elif arg == "--runner":
            if position + 1 == len(args):
                raise ValueError(
                    "beam_pipeline_args ends in --runner without a name. Write --runner=NAME. "
                    f"Received: {args}"
                )
            found = args[position + 1]
    found = found.rsplit(".", 1)[-1] if found else found
    if found in _UNSUPPORTED:
        raise ValueError(
            f"--runner={found} is not offered: {_UNSUPPORTED[found]}. Use the local driver (no "
            "--runner), DataflowRunner, FlinkRunner, SparkRunner, PrismRunner or PortableRunner."
        )
    return found


def runs_locally(beam_pipeline_args: Sequence[str]) -> bool:
    """Whether the arguments leave the work to the local driver: no runner, or the DirectRunner.

    Beam's in-memory `FnApiRunner` is Beam: it is meant when it is named.
    """
    name = runner_name(beam_pipeline_args)
    return name is None or name in _LOCAL


class Circumstances(Protocol):
    """What of an execution's context matters here; `penstock.dsl.ExecutionContext` has it."""

    node_id: str
    run_id: str
    pipeline_name: str
    project_root: str
    beam_pipeline_args: tuple[str, ...]

    @property
    def working_dir(self) -> str:
        """Local scratch folder."""


@dataclasses.dataclass(frozen=True)
class BeamSetup:
    """Where Beam pipelines of one execution run, and which user code travels with them.

    Args:
        beam_pipeline_args: arguments as Beam's command line takes them.
        project_root: folder of the user's code; it is shipped to workers that are not this process.
            None ships nothing.
        scratch: local folder for the archive of that code.
        labels: what the job is called and, on Dataflow, labelled with: `pipeline`, `node`, `run`.

    Example:
        engine = BeamSetup(("--runner=FnApiRunner",))
        with engine.pipeline() as pipeline:
            pipeline | beam.Create([1, 2])
    """

    beam_pipeline_args: Sequence[str] = ()
    project_root: str | None = None
    scratch: str | None = None
    labels: Mapping[str, str] = dataclasses.field(default_factory=dict)

    @classmethod
    def of(cls, context: Circumstances) -> BeamSetup:
        """Return the engine that an execution's context asks for."""
        return cls(
            tuple(context.beam_pipeline_args),
            context.project_root,
            context.working_dir,
            {"pipeline": context.pipeline_name, "node": context.node_id, "run": context.run_id},
        )

    def options(self) -> Any:
        """Beam's PipelineOptions, with the user's code staged where workers need it.

        Raises:
            ModuleNotFoundError: if Beam is not installed.
        """
        beam_options = _import_options()
        options = beam_options.PipelineOptions(list(self.beam_pipeline_args))
        if not runs_locally(self.beam_pipeline_args):
            _name_job(options, self.labels)
            if self.project_root is not None and _workers_are_elsewhere(options):
                from penstock.beam.user_code import stage_user_code

                stage_user_code(options, self.project_root, self.scratch)
        return options

    def check_reachable(self, paths: Iterable[str]) -> None:
        """Refuse paths that the runner's workers surely cannot open, before machines are started.

        Args:
            paths: files and folders that workers are to read or write.

        Raises:
            ValueError: if Dataflow is to use a folder of this machine.
        """
        if runner_name(self.beam_pipeline_args) != "DataflowRunner":
            return
        for path in paths:
            if location.is_local(path):
                raise ValueError(
                    f"Dataflow's workers cannot reach the folder {path} on this machine. Keep the "
                    "data and the pipeline's root in Cloud Storage: input_base='gs://...' and "
                    "Pipeline(pipeline_root='gs://...')."
                )

    def pipeline(self) -> Any:
        """Return a Beam pipeline; as a context manager it runs at the end and is waited for.

        A job that runs elsewhere is followed in the log, and cancelled if a signal ends this process;
        see `penstock.beam.jobs`. Without a runner, and for the DirectRunner, it is the in-memory
        FnApiRunner: Beam's own default first tries to download another one from the internet.
        """
        options = self.options()
        if runner_name(self.beam_pipeline_args) == _IN_MEMORY or runs_locally(
            self.beam_pipeline_args
        ):
            import apache_beam as beam

            return beam.Pipeline(runner=_fn_api_runner(options), options=options)
        from penstock.beam.jobs import JobPipeline

        # Of a job that was named here, another with its name is what a lost try at the node left.
        named_here = "run" in self.labels and not _names_job(self.beam_pipeline_args)
        return JobPipeline(options=options, replaces=named_here)


def make_pipeline(beam_pipeline_args: Sequence[str]) -> Any:
    """Return a Beam pipeline for the given arguments, without user code; see `BeamSetup`."""
    return BeamSetup(beam_pipeline_args).pipeline()


def _names_job(beam_pipeline_args: Sequence[str]) -> bool:
    return any(arg.partition("=")[0] == "--job_name" for arg in beam_pipeline_args)


def _import_options() -> Any:
    try:
        from apache_beam.options import pipeline_options
    except ModuleNotFoundError as error:
        raise ModuleNotFoundError(
            f"This needs the package {error.name!r}, which is not installed. "
            f"Install it with: {install_command('run')}",
            name=error.name,
        ) from error
    return pipeline_options


def _workers_are_elsewhere(options: Any) -> bool:
    """Whether user code runs in processes that do not have this one's import path."""
    beam_options = _import_options()
    environment = options.view_as(beam_options.PortableOptions).environment_type
    if environment:
        return bool(environment.upper() != "LOOPBACK")
    runner = _runner(options)
    if runner == _IN_MEMORY:
        mode = options.view_as(beam_options.DirectOptions).direct_running_mode
        return bool(mode == "multi_processing")
    if runner == "FlinkRunner":
        master = options.view_as(beam_options.FlinkRunnerOptions).flink_master
        return master not in ("[local]", "[auto]")
    return runner not in _LOOPBACK_BY_DEFAULT


def _runner(options: Any) -> str:
    return str(options.view_as(_import_options().StandardOptions).runner).rsplit(".", 1)[-1]


def _name_job(options: Any, labels: Mapping[str, str]) -> None:
    """Name a job after its node, unless it has a name, and label it on Dataflow.

    A name that follows from a run and a node is that of every try at it, and of nothing else.
    """
    cloud = options.view_as(_import_options().GoogleCloudOptions)
    words = {key: _label(value) for key, value in labels.items() if value}
    if cloud.job_name is None:
        # Without labels a name of its own, by which a job can be found again.
        cloud.job_name = _job_name("-".join(words.values()) or f"penstock-{uuid.uuid4().hex[:12]}")
    if _runner(options) == "DataflowRunner":
        given = list(cloud.labels or [])
        cloud.labels = [*given, *(f"penstock-{key}={value}" for key, value in words.items())]


def _job_name(text: str) -> str:
    """Return a valid name of a Dataflow job: lower case, digits and `-`, at most 63."""
    name = text.replace("_", "-")
    if not name[0].isalpha():
        name = f"p-{name}"
    if len(name) > _LONGEST_NAME:
        digest = hashlib.sha256(name.encode()).hexdigest()[:8]
        name = f"{name[: _LONGEST_NAME - 9].rstrip('-')}-{digest}"
    return name.strip("-")


def _label(value: str) -> str:
    """Return a value as a valid Google Cloud label: lower case, digits, `-` and `_`, at most 63."""
    return re.sub(r"[^a-z0-9_-]+", "-", value.lower()).strip("-_")[:63]


def _fn_api_runner(options: Any) -> Any:
    from apache_beam.options.pipeline_options import PortableOptions
    from apache_beam.portability.api import beam_provision_api_pb2
    from apache_beam.runners.portability.fn_api_runner import FnApiRunner
    from apache_beam.runners.portability.fn_api_runner.fn_runner import ExtendedProvisionInfo
    from apache_beam.runners.portability.portable_runner import JobServiceHandle
    from apache_beam.transforms.environments import Environment

    if not options.view_as(PortableOptions).environment_type:
        return FnApiRunner()
    # Left alone, FnApiRunner would run in memory and tell its workers no options.
    given = options.get_all_options(drop_default=True)
    info = beam_provision_api_pb2.ProvisionInfo(
        retrieval_token="unused", pipeline_options=JobServiceHandle.encode_pipeline_options(given)
    )
    return FnApiRunner(
        default_environment=Environment.from_options(options.view_as(PortableOptions)),
        provision_info=ExtendedProvisionInfo(info),
    )
