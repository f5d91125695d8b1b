"""The entry point of a container: one node, from Kubeflow's ExecutorInput to its outputs.

It reads the references of its inputs, gives user code its place on the import path, takes the node
through its life with the same code as every other runner, and writes references of what it made.
"""

from __future__ import annotations

import argparse
import contextlib
import dataclasses
import os
import shutil
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from typing import Any, Protocol

from penstock.artifacts import Artifact, location
from penstock.dsl.main_module import install_main
from penstock.graph import Graph, GraphNode
from penstock.io.processes.hosts import Hosts
from penstock.launch.attempt import Attempt, AttemptResult, RunSettings
from penstock.launch.attempt_log import print_log
from penstock.launch.execution import execute
from penstock.launch.launcher import Ended
from penstock.launch.lineage import lineage_entry
from penstock.launch.provenance import code_version, version_text
from penstock.pods.pod_hosts import PodHosts
from penstock.progress import Listener, at_most_every
from penstock.project_root import find_project_root
from penstock.runners.kubeflow.container.artifact_reference import ArtifactReference
from penstock.runners.kubeflow.container.executor_input import ExecutorInput, ExecutorInputError
from penstock.runners.kubeflow.container.object_store import enter_object_store
from penstock.runners.kubeflow.container.replica import prepare_replica
from penstock.runners.kubeflow.container.shown import facts, show
from penstock.runners.kubeflow.container.sources import SOURCES, sources_of
from penstock.runners.kubeflow.container.task import (
    PIPELINE_ROOT,
    RUN_ID,
    ContainerTask,
    artifact_inputs,
    parameter_input,
)
from penstock.runners.kubeflow.container.termination import Termination, say_ending
from penstock.runners.kubeflow.replicas import pod_request
from penstock.store import StoreError

SUCCEEDED, FAILED, WRONG_USE, STOPPED = 0, 1, 2, 143
"""Exit codes; the last is that of a process which SIGTERM ended."""


_STOPPED = "stopped by a signal (SIGTERM)"

_PROGRESS_SECONDS = 30.0
"""From one line of the log about how far the node is to the next."""


class _Launcher(Protocol):
    """What takes the node through its life, with a metadata store or without."""

    def begin(self, node: GraphNode) -> Ended | Attempt: ...
    def publish(self, attempt: Attempt, result: AttemptResult) -> None: ...
    def fail(self, attempt: Attempt, reason: str, result: AttemptResult | None = None) -> None: ...
    def stopping(self, attempt: Attempt, reason: str) -> None: ...
    def cancel(self, attempt: Attempt, reason: str) -> None: ...
    def epoch_reported(
        self, attempt: Attempt, epoch: int, metrics: Mapping[str, float]
    ) -> None: ...


@dataclasses.dataclass(frozen=True, slots=True)
class _Inputs:
    """What was given to the container, read."""

    graph: Graph
    pipeline: str
    pipeline_digest: str
    values: Mapping[str, Any]
    settings: RunSettings
    references: Mapping[str, ArtifactReference]
    replicas: Mapping[str, Any] | None = None
    prepare: Callable[[], None] | None = None

    @property
    def node(self) -> GraphNode:
        (node,) = self.graph.nodes
        return node

    @property
    def lineage(self) -> dict[str, Any]:
        return {
            name: each
            for reference in self.references.values()
            for name, each in reference.lineage.items()
        }


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one node and return the exit code: 0, or 1 if it failed, 2 for wrong use, 143 if stopped.

    Args:
        arguments: Of the command line; by default the process's own.
    """
    parser = argparse.ArgumentParser(prog="python -m penstock.launch", description=__doc__)
    parser.add_argument(
        "--executor-input", required=True, help="Kubeflow's ExecutorInput: JSON, or its file"
    )
    parser.add_argument("--task", required=True, help="the node as JSON, as the compiler wrote it")
    parser.add_argument(
        "--project-root", help="folder of user code (default: that of the current folder's project)"
    )
    given = parser.parse_args(arguments)
    try:
        executor_input = ExecutorInput.parse(given.executor_input)
        task = ContainerTask.parse(given.task)
        inputs = _read(task, executor_input, given.project_root)
    except Exception as error:
        print(f"{type(error).__name__}: {error}", file=sys.stderr)
        say_ending(WRONG_USE, f"{type(error).__name__}: {error}")
        return WRONG_USE
    if task.looks:
        executor_input.write_parameter(SOURCES, sources_of(inputs.node, inputs.settings))
        return SUCCEEDED
    # A pod's preemption is Ctrl-C: what the attempt wrote is removed, the store says CANCELED.
    termination = Termination()
    try:
        with termination.on_sigterm():
            return _run(inputs, executor_input, termination)
    except KeyboardInterrupt:
        print(f"{inputs.node.id}: stopped by a signal", file=sys.stderr)
        say_ending(STOPPED, f"{inputs.node.id}: stopped by a signal")
        return STOPPED


def _read(task: ContainerTask, executor_input: ExecutorInput, project_root: str | None) -> _Inputs:
    pipeline_root = executor_input.parameters.get(PIPELINE_ROOT)
    if not pipeline_root:
        raise ExecutorInputError(
            "The run has no pipeline_root: a folder or URL that all its containers can write. "
            "Set it when the run is created."
        )
    given_root, pipeline_root = pipeline_root, enter_object_store(pipeline_root)
    if task.archive:
        from penstock.launch.project_archive import unpack_project

        project_root = unpack_project(task.archive)
    root = str(find_project_root(project_root or os.getcwd()))
    if root not in sys.path:
        sys.path.insert(0, root)
    if task.graph.main is not None:
        install_main(task.graph.main.text)
    values = task.graph.values(_given(task.graph, executor_input))
    return _Inputs(
        graph=task.graph.bind(values),
        pipeline=task.pipeline,
        pipeline_digest=task.pipeline_digest,
        values=values,
        settings=RunSettings(
            run_id=executor_input.parameters.get(RUN_ID) or "kubeflow",
            pipeline=task.graph.name,
            pipeline_root=pipeline_root.rstrip("/"),
            project_root=root,
            seed=task.seed,
            deterministic=task.deterministic,
            code_version=version_text(*code_version(root)),
        ).with_main(task.graph.main),
        references={
            name: ArtifactReference.read(path) for name, path in executor_input.inputs.items()
        },
        replicas=task.replicas,
        prepare=partial(prepare_replica, given_root, task.archive, project_root or root),
    )


def _given(graph: Graph, executor_input: ExecutorInput) -> dict[str, Any]:
    """Return the given runtime parameters; Protocol Buffers know one kind of number."""
    values: dict[str, Any] = {}
    for name, parameter in graph.parameters.items():
        value = executor_input.parameters.get(parameter_input(name))
        if value is not None:
            whole = parameter.ptype is int and isinstance(value, float) and value.is_integer()
            values[name] = int(value) if whole else value
    return values


def _run(inputs: _Inputs, executor_input: ExecutorInput, termination: Termination) -> int:
    node, lineage = inputs.node, inputs.lineage
    started = time.monotonic()
    try:
        with _launcher(inputs) as launcher:
            ended = _live(launcher, node, lineage, _hosts(inputs), termination)
    except StoreError as error:
        ended = f"{node.id}: {type(error).__name__}: {error}"
    if isinstance(ended, str):
        print(ended, file=sys.stderr)
        say_ending(FAILED, ended.splitlines()[-1])
        return FAILED
    seconds = time.monotonic() - started
    lineage[node.id] = lineage_entry(
        node, ended.execution_id, ended.state, ended.outputs, ended.metrics
    )
    references = {
        key: ArtifactReference(ended.outputs.get(key, ()), lineage) for key in node.outputs
    }
    for key, reference in references.items():
        reference.write(executor_input.outputs[key].path)
    told = facts(node, ended, inputs.settings.pipeline_root)
    metadata = {key: {**each.metadata, **told} for key, each in references.items()}
    metadata |= show(node, ended, seconds, executor_input.outputs)
    executor_input.write_output(metadata)
    said = f": {ended.verdict.text}" if ended.verdict else ""
    print(f"{node.id}: {ended.state}, execution {ended.execution_id}{said}", file=sys.stderr)
    return SUCCEEDED


@contextlib.contextmanager
def _launcher(inputs: _Inputs) -> Iterator[_Launcher]:
    """Return what records in the metadata store, if one is named, else what does without."""
    store = os.environ.get("PENSTOCK_STORE")
    names = artifact_inputs(inputs.node)
    found = {name: reference.artifacts for name, reference in inputs.references.items()}
    if not store:
        from penstock.runners.kubeflow.container.storeless import StorelessLauncher

        yield StorelessLauncher(
            inputs.settings, [(n.partition("-")[0], found.get(n, ())) for n in names]
        )
        return
    from penstock.runners.kubeflow.container.recorded import describe_run, recorded

    published: dict[str, dict[str, Sequence[Artifact]]] = {}
    for name, edge in names.items():
        published.setdefault(edge.producer, {})[edge.key] = found.get(name, ())
    run = describe_run(
        inputs.graph.name,
        inputs.settings,
        inputs.pipeline,
        inputs.values,
        digest=inputs.pipeline_digest,
    )
    with recorded(store, inputs.graph, inputs.settings, run, published) as launcher:
        yield launcher


def _hosts(inputs: _Inputs) -> Hosts | None:
    """Return where the node's own processes run: in pods if it has several replicas, and itself one."""
    if inputs.replicas is None:
        return None
    if not os.environ.get("PENSTOCK_POD_NAME") and not os.environ.get("KFP_POD_NAME"):
        print(
            f"{inputs.node.id}: this container is in no pod of a cluster: all processes run in it",
            file=sys.stderr,
        )
        return None
    settings = pod_request(inputs.node.bound_resources, inputs.replicas)
    return PodHosts(inputs.node.id, settings, inputs.prepare)


def _live(
    launcher: _Launcher,
    node: GraphNode,
    lineage: Mapping[str, Any],
    hosts: Hosts | None,
    termination: Termination,
) -> Ended | str:
    """Take the node through its life; return how it ended, or why it failed."""
    try:
        begun = launcher.begin(node)
    except Exception as error:
        return f"{node.id}: {type(error).__name__}: {error}"
    if isinstance(begun, Ended):
        return begun
    termination.first = partial(launcher.stopping, begun, _STOPPED)
    with _on_this_machine(dataclasses.replace(begun, lineage=lineage)) as attempt:
        try:
            with print_log(sys.stderr):
                result = execute(
                    attempt,
                    at_most_every(_PROGRESS_SECONDS, _teller(node)),
                    partial(launcher.epoch_reported, begun),
                    hosts,
                )
        except KeyboardInterrupt:
            launcher.cancel(begun, _STOPPED)
            raise
    if result.error is not None:
        launcher.fail(begun, result.error, result)
        return f"{result.traceback}{node.id}: {result.error}"
    launcher.publish(begun, result)
    outputs = {key: [artifact] for key, artifact in result.outputs.items()}
    return Ended(begun.execution_id, "COMPLETE", outputs, result.metrics, result.verdict)


def _teller(node: GraphNode) -> Listener:
    return lambda text: print(f"{node.id}: {text}", file=sys.stderr, flush=True)


@contextlib.contextmanager
def _on_this_machine(attempt: Attempt) -> Iterator[Attempt]:
    """Give an attempt whose root is elsewhere a local scratch folder; its log is copied there."""
    if location.is_local(attempt.log_path):
        yield attempt
        return
    folder = tempfile.mkdtemp(prefix="penstock-")
    log = os.path.join(folder, "log.txt")
    try:
        yield dataclasses.replace(attempt, working_dir=f"{folder}/scratch", log_path=log)
    finally:
        if os.path.exists(log):
            with open(log, "rb") as file:
                location.write_bytes(attempt.log_path, file.read())
        shutil.rmtree(folder, ignore_errors=True)
