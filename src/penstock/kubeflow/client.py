"""Kubeflow Pipelines from Python: upload, run, schedule, watch, cancel."""

from __future__ import annotations

import contextlib
import dataclasses
from collections.abc import Iterator, Mapping
from typing import Any, Self

from penstock.kubeflow import logs, runs, schedules, versions
from penstock.kubeflow.connection import Connection, find_connection
from penstock.kubeflow.errors import KubeflowError, UnknownOnServer
from penstock.kubeflow.package import PipelinePackage
from penstock.kubeflow.records import ClusterRun, Schedule, UploadedVersion
from penstock.kubeflow.schedules import When
from penstock.kubeflow.server import Server
from penstock.kubeflow.tasks import node_results
from penstock.kubeflow.watching import run_result, watch
from penstock.runners.local.progress import ProgressKind, make_progress
from penstock.runners.result import RunFailed, RunResult

DEFAULT_EXPERIMENT = "Default"
_SHOWN_LINES = 14


@dataclasses.dataclass(slots=True)
class Kubeflow:
    """A Kubeflow Pipelines server.

    What it makes, it makes once: a version is named by its content, a run and a schedule by their name, and
    where the answer to a request is lost, it looks before it asks again.

    Args:
        connection: Where it is; by default what `find_connection()` finds.
        patience: Seconds within which requests are tried again where that is safe.
        pause: Seconds from one look at a run that is waited for to the next.

    Raises:
        NotConfigured: If it is not known where Kubeflow is.

    Example:
        kubeflow = Kubeflow.at("http://127.0.0.1:8888")
        run = kubeflow.run(compile_to_yaml(graph, config), parameters={"train_steps": 500})
        kubeflow.wait(run.run_id)
    """

    connection: Connection = dataclasses.field(default_factory=find_connection)
    patience: float = 60.0
    pause: float = 2.0
    server: Server = dataclasses.field(init=False, repr=False)

    def __post_init__(self) -> None:
        self.server = Server(self.connection, self.patience)

    @classmethod
    def at(cls, host: str, *, namespace: str | None = None) -> Self:
        """Return the server at an address; a token or cookie comes from the environment."""
        return cls(find_connection(host, namespace=namespace))

    def upload(self, pipeline: str | PipelinePackage, description: str = "") -> UploadedVersion:
        """Return the version that holds a compiled pipeline, uploaded if the server does not have it.

        Args:
            pipeline: The YAML that `compile_to_yaml` returned, or the package.
            description: What is shown of a new version.
        """
        return versions.upload(self.server, _package(pipeline), description)

    def run(
        self,
        pipeline: str | PipelinePackage,
        *,
        parameters: Mapping[str, Any] | None = None,
        name: str | None = None,
        experiment: str = DEFAULT_EXPERIMENT,
        service_account: str | None = None,
    ) -> ClusterRun:
        """Upload a pipeline if need be, and run it.

        Args:
            pipeline: The YAML that `compile_to_yaml` returned, or the package.
            parameters: Values of the pipeline's parameters.
            name: Name of the run. A run of that name with the same version and parameters is returned
                instead of a second one. By default a new name.
            experiment: The experiment that it belongs to; it is made if there is none.
            service_account: Of its pods; by default Kubeflow's `pipeline-runner`.

        Raises:
            ParameterError: For an unknown parameter, a value of another type, or one that is missing.
            NameTaken: If a run of that name does something else.
            KubeflowError: The kind says what to do about it.
        """
        package = _package(pipeline)
        values = package.values(parameters or {})
        version = versions.upload(self.server, package)
        return runs.create_run(
            self.server,
            version,
            name=name or runs.run_name(package.name),
            experiment=experiment,
            parameters=values,
            service_account=service_account,
        )[0]

    def schedule(
        self,
        pipeline: str | PipelinePackage,
        when: When,
        *,
        name: str | None = None,
        parameters: Mapping[str, Any] | None = None,
        experiment: str = DEFAULT_EXPERIMENT,
        service_account: str | None = None,
        replace: bool = False,
    ) -> Schedule:
        """Upload a pipeline if need be, and run it again and again.

        Args:
            pipeline: The YAML that `compile_to_yaml` returned, or the package.
            when: When it fires.
            name: Name of the schedule; by default the pipeline's.
            parameters: Values of the pipeline's parameters.
            experiment: The experiment of its runs; it is made if there is none.
            service_account: Of its runs' pods; by default Kubeflow's `pipeline-runner`.
            replace: Whether a schedule of that name that does something else is replaced.

        Raises:
            ParameterError: As `run`.
            NameTaken: If a schedule of that name does something else, and `replace` is not set.
            KubeflowError: The kind says what to do about it.
        """
        package = _package(pipeline)
        values = package.values(parameters or {})
        version = versions.upload(self.server, package)
        return schedules.create_schedule(
            self.server,
            version,
            when,
            name=name or package.name,
            experiment=experiment,
            parameters=values,
            service_account=service_account,
            replace=replace,
        )[0]

    def schedules(self) -> list[Schedule]:
        """Return all schedules, the newest first."""
        return schedules.list_schedules(self.server)

    def enable(self, schedule: str, enabled: bool = True) -> None:
        """Let the schedule of that name or id fire, or not."""
        found = schedules.find_schedule(self.server, schedule)
        schedules.set_enabled(self.server, found.schedule_id, enabled)

    def unschedule(self, schedule: str) -> None:
        """Remove the schedule of that name or id; its runs stay."""
        found = schedules.find_schedule(self.server, schedule)
        schedules.delete_schedule(self.server, found.schedule_id)

    def runs(self, most: int = 20) -> list[ClusterRun]:
        """Return the newest runs."""
        return runs.list_runs(self.server, most=most)

    def find(self, run: str = "latest") -> ClusterRun:
        """Return a run, by its id or the beginning of it, its name, or `latest`.

        Raises:
            UnknownOnServer: If there is none.
        """
        return runs.find_run(self.server, run)

    def package(self, run: ClusterRun) -> PipelinePackage:
        """Return the pipeline that a run runs.

        Raises:
            UnknownOnServer: If its version was deleted.
        """
        if run.spec:
            return PipelinePackage.of_spec(run.spec)
        if run.version is None:
            raise UnknownOnServer(f"The server does not tell what the run {run.run_id} runs.")
        return versions.package_of(self.server, run.version)

    def status(self, run: str = "latest") -> RunResult:
        """Return how far a run is: its nodes' states, times and errors."""
        found = self.find(run)
        return run_result(found, node_results(self.package(found).nodes, found))

    def wait(
        self, run: str = "latest", *, progress: ProgressKind = "none", check: bool = True
    ) -> RunResult:
        """Wait until a run has ended.

        Args:
            run: An id, a name, or `latest`.
            progress: How to show it: `auto`, `live`, `plain` or `none`.
            check: Whether it is an error if the run does not complete.

        Raises:
            RunFailed: If it does not complete, and `check` is set.
        """
        found = self.find(run)
        package = self.package(found)

        def log_of(node: str) -> str:
            return self._log_end(found.run_id, package, node)

        shown = make_progress(progress)
        result = watch(self.server, package, found, shown, log_of=log_of, pause=self.pause)
        if check and result.state != "COMPLETE":
            raise RunFailed(result)
        return result

    def cancel(self, run: str) -> bool:
        """Ask a run to end; return whether it was still going on."""
        found = self.find(run)
        if found.over:
            return False
        runs.cancel_run(self.server, found.run_id)
        return True

    def logs(
        self, run: str, node: str, *, follow: bool = False, attempt: int | None = None
    ) -> Iterator[str]:
        """Yield the log of a node in pieces, as they come if it is followed.

        Args:
            run: An id, a name, or `latest`.
            node: The node.
            follow: Whether to wait for more until its container ends.
            attempt: Which attempt, from 1; the last by default.

        Raises:
            UnknownOnServer: If there is no such run, node or log.
        """
        found = self.find(run)
        try:
            task = self.package(found).task(node)
        except ValueError as error:
            raise UnknownOnServer(str(error)) from None
        yield from logs.follow_log(self.server, found, task, attempt=attempt, follow=follow)

    def _log_end(self, run_id: str, package: PipelinePackage, node: str) -> str:
        """Return the last lines of a node's log, or nothing if it cannot be read."""
        with contextlib.suppress(KubeflowError):
            run = runs.get_run(self.server, run_id)
            text = logs.read_log(self.server, run, package.task(node))
            return "\n".join(text.strip().splitlines()[-_SHOWN_LINES:])
        return ""


def _package(pipeline: str | PipelinePackage) -> PipelinePackage:
    return pipeline if isinstance(pipeline, PipelinePackage) else PipelinePackage.parse(pipeline)
