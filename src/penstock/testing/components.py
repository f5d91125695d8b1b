"""Running one component on plain artifacts: no runner, no store."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from typing import Any

from penstock.artifacts import Artifact, Verdict
from penstock.dsl import Component
from penstock.dsl.channel import Channel
from penstock.graph import Graph, compile_node, runtime_parameters
from penstock.launch.attempt import Attempt, RunSettings
from penstock.launch.checkpoints import remove_checkpoints
from penstock.launch.execution import execute


class ComponentFailed(AssertionError):
    """The component raised; the message holds the traceback from your own code on.

    Args:
        message: The error and its traceback.
        outputs: The outputs that are kept: those of a gate that raised `Rejected`.
        verdict: The verdict reported with `report_verdict`.
    """

    def __init__(
        self,
        message: str,
        outputs: Mapping[str, Artifact] | None = None,
        verdict: Verdict | None = None,
    ) -> None:
        super().__init__(message)
        self.outputs = dict(outputs or {})
        self.verdict = verdict


def run_component(
    component: Component,
    output_root: str | os.PathLike[str],
    *,
    project_root: str | os.PathLike[str] = ".",
    parameters: Mapping[str, Any] | None = None,
    seed: int | None = None,
    deterministic: bool = False,
    execution_id: int = 1,
) -> dict[str, Artifact]:
    """Run a component constructed with plain artifacts, and return its outputs by key.

    As in a run, what one that failed left in its `context.checkpoint_dir` is found by the next call
    with the same `output_root`.

    Args:
        component: The component, such as `StatisticsGen(examples=Examples(uri))`.
        output_root: Folder under which the outputs are written.
        project_root: Folder that relative paths and user modules are found from.
        parameters: Values of runtime parameters.
        seed: As in a run.
        deterministic: As in a run.
        execution_id: Names the output folders.

    Raises:
        ComponentFailed: If the component raised, with its traceback.

    Example:
        outputs = run_component(StatisticsGen(examples=Examples("examples/1")), tmp_path)
        outputs["statistics"].uri
    """
    inputs: dict[str, Sequence[Artifact]] = {}
    for key, sources in component.inputs.items():
        artifacts = [each for each in sources if not isinstance(each, Channel)]
        if len(artifacts) != len(sources):
            raise TypeError(
                f"{component.id}({key}=...) is a channel; run_component takes artifacts, such as "
                "Examples('folder')"
            )
        inputs[key] = artifacts
    node = compile_node(component)
    graph = Graph("test", None, None, (node,), runtime_parameters(component))
    (node,) = graph.bind(parameters or {}).nodes
    root = os.path.abspath(output_root)
    settings = RunSettings("test", "test", root, os.path.abspath(project_root), seed, deterministic)
    attempt = Attempt.laid_out(node, settings, execution_id, inputs=inputs)
    result = execute(attempt)
    if result.error is None:
        remove_checkpoints(root, node.id, settings.run_id)
    if result.error is not None:
        message = f"{result.error}\n{result.traceback}"
        raise ComponentFailed(message, result.outputs, result.verdict)
    return dict(result.outputs)
