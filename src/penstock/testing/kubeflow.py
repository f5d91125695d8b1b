"""Running a compiled Kubeflow pipeline without a cluster, node by node, according to its IR.

The work of Kubeflow's driver and launcher is done here with functions of Kubeflow's SDK: the
ExecutorInput is made from the IR, the placeholders of the command are replaced, the ExecutorOutput
is read. Retries and timeouts are those of the IR.
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
import os
import subprocess
import sys
import time
import uuid
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol

from penstock.runners.kubeflow.container.artifact_reference import ArtifactReference
from penstock.runners.kubeflow.container.executor_input import local_path
from penstock.runners.kubeflow.container.shown import is_shown
from penstock.runners.kubeflow.container.sources import is_sources
from penstock.runners.result import NodeResult, NodeState, RunFailed, RunResult


@dataclasses.dataclass(frozen=True, slots=True)
class ContainerCall:
    """One start of a container.

    Attributes:
        image: Image that the IR names.
        command: Command and arguments, placeholders replaced.
        environment: Variables that the IR sets.
        mounts: Persistent volume claim to folder.
        timeout: Seconds, or None.
        container: The container of the IR, placeholders replaced.
        platform: What the IR says of its pod.
    """

    image: str
    command: Sequence[str]
    environment: Mapping[str, str]
    mounts: Mapping[str, str]
    timeout: float | None
    container: Mapping[str, Any] = dataclasses.field(default_factory=dict)
    platform: Mapping[str, Any] = dataclasses.field(default_factory=dict)


@dataclasses.dataclass(frozen=True, slots=True)
class PreparedTask:
    """A task whose inputs are known.

    Attributes:
        name: Its name in the IR.
        node: The node.
        call: How its container is started.
        retries: How often it is tried again.
        cache_key: The same for the same image, command, parameters and input artifacts; None if Kubeflow's
            cache is off for it.
    """

    name: str
    node: str
    call: ContainerCall
    retries: int
    cache_key: str | None
    executor_input: Any
    component: Any

    def outputs(self) -> dict[str, Any]:
        """Return the artifacts by key that the container said it wrote; after it has ended."""
        from kfp.local import executor_output_utils

        found: dict[str, Any] = executor_output_utils.get_outputs_for_task(
            self.executor_input, self.component
        )
        return found


class ContainerEngine(Protocol):
    """Starts containers."""

    def run(self, call: ContainerCall) -> tuple[int, str]:
        """Return (exit code, what was printed)."""


class Processes:
    """A container engine that starts processes of this Python instead.

    Args:
        project_root: What the image's working folder would be.
    """

    def __init__(self, project_root: str | os.PathLike[str]) -> None:
        self._project_root = project_root

    def run(self, call: ContainerCall) -> tuple[int, str]:
        """Start the command and wait for its end."""
        inherited = {key: each for key, each in os.environ.items() if key != "PENSTOCK_STORE"}
        path = f"{os.path.dirname(sys.executable)}{os.pathsep}{os.environ.get('PATH', '')}"
        try:
            ended = subprocess.run(
                list(call.command),
                cwd=self._project_root,
                env={**inherited, "PATH": path, **call.environment},
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                text=True,
                timeout=call.timeout,
                check=False,
            )
        except subprocess.TimeoutExpired as error:
            printed = error.output or b""
            return 137, printed.decode() if isinstance(printed, bytes) else str(printed)
        return ended.returncode, ended.stdout


class CompiledPipeline:
    """A pipeline in Kubeflow's IR.

    Args:
        text: The YAML that the compiler wrote.
        folder: Where Kubeflow would keep the references.
        engine: Starts the containers.
        secrets: Values of the keys of secrets and config maps, by (name, key); None where the engine knows
            them.
        cache: What tasks wrote by their cache key, for several runs; None for no cache.

    Raises:
        google.protobuf.json_format.ParseError: If the text is not a pipeline.
    """

    def __init__(
        self,
        text: str,
        folder: str | os.PathLike[str],
        engine: ContainerEngine,
        secrets: Mapping[tuple[str, str], str] | None = None,
        cache: dict[str, dict[str, Any]] | None = None,
    ) -> None:
        import yaml  # type: ignore[import-untyped]
        from google.protobuf import json_format
        from kfp.pipeline_spec import pipeline_spec_pb2

        documents = list(yaml.safe_load_all(text))
        self.spec = json_format.ParseDict(documents[0], pipeline_spec_pb2.PipelineSpec())
        platform = documents[1] if len(documents) > 1 else {}
        self._platform: dict[str, Any] = (
            platform.get("platforms", {})
            .get("kubernetes", {})
            .get("deploymentSpec", {})
            .get("executors", {})
        )
        self._executors = json_format.MessageToDict(self.spec.deployment_spec)["executors"]
        self._folder = str(folder)
        self._engine = engine
        self._secrets = secrets
        self._cache = {} if cache is None else cache
        self._is_cached = cache is not None

    def run(self, arguments: Mapping[str, Any]) -> RunResult:
        """Run every task whose upstream tasks succeeded, in a topological order.

        Args:
            arguments: Values of the pipeline's parameters.

        Raises:
            RunFailed: If a task failed.
        """
        started = time.monotonic()
        run_id = str(uuid.uuid4())
        tasks = self.spec.root.dag.tasks
        values = self.values(arguments)
        outputs: dict[str, dict[str, Any]] = {}
        results: dict[str, NodeResult] = {}
        pending = sorted(tasks)
        while pending:
            name = next(
                each for each in pending if not set(tasks[each].dependent_tasks) & set(pending)
            )
            pending.remove(name)
            result = results[name] = NodeResult(tasks[name].task_info.name)
            failed = [
                each for each in tasks[name].dependent_tasks if not results[each].state.succeeded
            ]
            if failed:
                result.state = NodeState.SKIPPED
                result.error = f"{results[failed[0]].id} did not succeed"
                continue
            self._run_task(name, run_id, values, outputs, result)
        state = "COMPLETE" if all(each.state.succeeded for each in results.values()) else "FAILED"
        nodes = {
            each.id: each
            for each in results.values()
            if each.state is NodeState.FAILED or not is_sources(each.id)
        }
        run = RunResult(run_id, state, nodes, time.monotonic() - started)
        if state == "FAILED":
            raise RunFailed(run)
        return run

    def values(self, given: Mapping[str, Any]) -> dict[str, Any]:
        """Return the values of all parameters: the given ones, else their defaults.

        Raises:
            ValueError: If one has neither.
        """
        from google.protobuf import json_format

        values: dict[str, Any] = {}
        for name, declared in self.spec.root.input_definitions.parameters.items():
            if name in given:
                values[name] = given[name]
            elif declared.is_optional:
                values[name] = json_format.MessageToDict(declared.default_value)
            else:
                raise ValueError(
                    f"The pipeline's parameter {name!r} has no default: give its value"
                )
        return values

    def prepare(
        self,
        name: str,
        run_id: str,
        values: Mapping[str, Any],
        outputs: Mapping[str, Mapping[str, Any]],
    ) -> PreparedTask:
        """Do the work of Kubeflow's driver for a task: resolve its inputs and replace placeholders.

        Args:
            name: The task.
            run_id: The run.
            values: Values of all of the pipeline's parameters.
            outputs: Artifacts of the tasks before it.
        """
        from kfp.local import executor_input_utils

        task = self.spec.root.dag.tasks[name]
        component = self.spec.components[task.component_ref.name]
        folder = f"{self._folder}/{self.spec.pipeline_info.name}/{run_id}/{name}/{uuid.uuid4()}"
        inputs = _inputs(task.inputs, run_id, values, outputs)
        executor_input = executor_input_utils.construct_executor_input(
            component_spec=component,
            arguments=inputs,
            task_root=folder,
            block_input_artifact=False,
        )
        given = executor_input_utils.executor_input_to_dict(executor_input, component)
        written = self._executors[component.executor_label]["container"]
        container = self._resolved(written, given, name, run_id)
        command = [*container["command"], *container.get("args", ())]
        platform = self._platform.get(component.executor_label, {})
        return PreparedTask(
            name=name,
            node=task.task_info.name,
            call=self._call(container, command, platform),
            retries=task.retry_policy.max_retry_count,
            cache_key=_cache_key(written, inputs) if task.caching_options.enable_cache else None,
            executor_input=executor_input,
            component=component,
        )

    def _resolved(self, value: Any, given: dict[str, Any], task: str, run_id: str) -> Any:
        """Return a value of the IR in which the placeholders of all texts are replaced."""
        from kfp.local import placeholder_utils

        if isinstance(value, Mapping):
            return {key: self._resolved(each, given, task, run_id) for key, each in value.items()}
        if isinstance(value, list):
            return [self._resolved(each, given, task, run_id) for each in value]
        if not isinstance(value, str):
            return value
        (replaced,) = placeholder_utils.replace_placeholders(
            full_command=[value],
            executor_input_dict=given,
            pipeline_resource_name=self.spec.pipeline_info.name,
            task_resource_name=task,
            pipeline_root=self._folder,
            unique_pipeline_id=run_id,
        )
        return replaced

    def _run_task(
        self,
        name: str,
        run_id: str,
        values: Mapping[str, Any],
        outputs: dict[str, dict[str, Any]],
        result: NodeResult,
    ) -> None:
        prepared = self.prepare(name, run_id, values, outputs)
        key = prepared.cache_key if self._is_cached else None
        if key in self._cache:
            outputs[name] = self._cache[key]
            self._end(outputs[name], result, NodeState.CACHED)
            return
        started = time.monotonic()
        for number in range(1, 2 + prepared.retries):
            result.attempts = number
            code, printed = self._engine.run(prepared.call)
            if code == 0:
                break
        result.seconds = time.monotonic() - started
        log = Path(self._folder, "logs", run_id, f"{name}.txt")
        log.parent.mkdir(parents=True, exist_ok=True)
        log.write_text(printed, encoding="utf-8")
        result.log_path = str(log)
        if code:
            result.state = NodeState.FAILED
            result.traceback = printed
            result.error = f"exit code {code}: {(printed.strip().splitlines() or [''])[-1]}"
            return
        outputs[name] = prepared.outputs()
        if key is not None:
            self._cache[key] = outputs[name]
        self._end(outputs[name], result, NodeState.COMPLETE)

    def _end(self, outputs: Mapping[str, Any], result: NodeResult, state: NodeState) -> None:
        result.outputs = {
            key: ArtifactReference.read(local_path(artifact.uri)).artifacts
            for key, artifact in outputs.items()
            if not is_shown(key) and not isinstance(artifact, str)
        }
        result.state = state

    def _call(
        self, container: Mapping[str, Any], command: Sequence[str], platform: Mapping[str, Any]
    ) -> ContainerCall:
        environment = {each["name"]: each["value"] for each in container.get("env", ())}
        environment |= self._from_sources(platform.get("secretAsEnv", ()), "secret")
        environment |= self._from_sources(platform.get("configMapAsEnv", ()), "configMap")
        deadline = platform.get("activeDeadlineSeconds")
        return ContainerCall(
            image=container["image"],
            command=command,
            environment=environment,
            mounts={each["constant"]: each["mountPath"] for each in platform.get("pvcMount", ())},
            timeout=None if deadline is None else float(deadline),
            container=container,
            platform=platform,
        )

    def _from_sources(self, sources: Sequence[Mapping[str, Any]], kind: str) -> dict[str, str]:
        found: dict[str, str] = {}
        if (known := self._secrets) is None:
            return found
        for source in sources:
            for each in source["keyToEnv"]:
                key = (source[f"{kind}Name"], each[f"{kind}Key"])
                if key in known or not source.get("optional"):
                    found[each["envVar"]] = known[key]
        return found


def _cache_key(container: Mapping[str, Any], inputs: Mapping[str, Any]) -> str:
    told = {
        "image": container["image"],
        "command": [*container["command"], *container.get("args", ())],
        "inputs": {name: getattr(each, "uri", each) for name, each in inputs.items()},
    }
    return hashlib.sha256(json.dumps(told, sort_keys=True).encode()).hexdigest()


def _inputs(
    inputs: Any,
    run_id: str,
    values: Mapping[str, Any],
    outputs: Mapping[str, Mapping[str, Any]],
) -> dict[str, Any]:
    """Return a task's inputs as Kubeflow's driver resolves them: parameters and artifacts by name."""
    from google.protobuf import json_format

    found: dict[str, Any] = {}
    for name, source in inputs.parameters.items():
        if source.HasField("component_input_parameter"):
            found[name] = values[source.component_input_parameter]
        elif source.HasField("task_output_parameter"):
            made = source.task_output_parameter
            found[name] = outputs[made.producer_task][made.output_parameter_key]
        else:
            text = json_format.MessageToJson(source.runtime_value.constant)
            found[name] = json.loads(text.replace("{{$.pipeline_job_uuid}}", run_id))
    for name, source in inputs.artifacts.items():
        producer = source.task_output_artifact
        found[name] = outputs[producer.producer_task][producer.output_artifact_key]
    return found
