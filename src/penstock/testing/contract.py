"""The contract of every component, checked in one call."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from penstock.artifacts import Artifact, Bytes
from penstock.dsl import (
    Component,
    ExecutionContext,
    Importer,
    ParameterError,
    Pipeline,
    WiringError,
)
from penstock.dsl.channel import Channel
from penstock.graph import GraphNode, compile_node
from penstock.runners.local import LocalDagRunner
from penstock.runners.result import NodeState, RunFailed
from penstock.testing.components import run_component


class _Stranger(Bytes):
    """An artifact type that no component takes."""


def check_component(
    component: Component,
    folder: str | os.PathLike[str],
    *,
    project_root: str | os.PathLike[str] = ".",
    seed: int = 1,
    reproducible: bool = True,
) -> dict[str, Artifact]:
    """Check the contract of a component that was constructed with plain artifacts.

    It refuses unknown, misspelled and missing arguments and artifacts of another type; its frozen
    form survives JSON; it runs without a runner and a store, and writes its declared outputs to
    their folders; each output has a page that `penstock open` can show; in a pipeline its second
    run is a cache hit; twice from scratch it gives the same fingerprints; and when it fails
    half-way, only its log remains.

    Args:
        component: The component, such as `StatisticsGen(examples=Examples("folder"))`.
        folder: Empty folder to work in.
        project_root: Folder that relative paths and user modules are found from.
        seed: Seed of the runs.
        reproducible: Whether equal fingerprints are required.

    Returns:
        The outputs of the component when run alone.

    Raises:
        AssertionError: If the contract is broken; the message says how.
    """
    root = os.path.abspath(folder)
    _check_definition(component)
    _check_frozen_form(component)
    outputs = run_component(
        component, f"{root}/alone", project_root=project_root, seed=seed, deterministic=True
    )
    _check_outputs(component, outputs, f"{root}/alone")
    _check_pages(component, outputs)
    first = _check_cached(component, f"{root}/cached", project_root, seed)
    if reproducible:
        for key, artifact in first.items():
            assert artifact.fingerprint == outputs[key].fingerprint, (
                f"{component.id}: two runs with one seed wrote different {key!r}: {artifact.uri} and "
                f"{outputs[key].uri}"
            )
    _check_failure(component, f"{root}/failed", project_root, seed)
    return outputs


def _arguments(component: Component) -> dict[str, Any]:
    interface = component.interface()
    arguments: dict[str, Any] = dict(component.parameters)
    for key, sources in component.inputs.items():
        several = key in interface.inputs and interface.inputs[key].several
        arguments[key] = list(sources) if several else sources[0]
    return arguments


def _check_definition(component: Component) -> None:
    kind = type(component)
    assert kind.__doc__, f"{kind.__name__} has no docstring"
    arguments = _arguments(component)
    for key in component.interface().keywords:
        try:
            kind(**{**arguments, key + "x": None})
        except ParameterError as error:
            assert "takes no argument" in str(error)
        else:
            raise AssertionError(f"{kind.__name__} takes {key + 'x'!r}, which it does not declare")
        break
    for key, spec in component.interface().inputs.items():
        if spec.optional:
            continue
        _refused(kind, {**arguments, key: None}, f"without its input {key!r}")
        _refused(kind, {**arguments, key: _Stranger("x")}, f"with bytes for {key!r}")


def _refused(kind: type[Component], arguments: dict[str, Any], how: str) -> None:
    try:
        kind(**arguments)
    except WiringError as error:
        assert kind.__name__ in str(error), f"the message does not name the component: {error}"
    else:
        raise AssertionError(f"{kind.__name__} can be constructed {how}")


def _check_frozen_form(component: Component) -> None:
    node = compile_node(component)
    copy = GraphNode.from_json(json.loads(json.dumps(node.to_json())))
    assert copy == node, f"{component.id} does not survive JSON"


def _check_outputs(component: Component, outputs: dict[str, Artifact], root: str) -> None:
    for key, channel in component.outputs.items():
        if key not in outputs:
            assert channel.optional, f"{component.id} did not write {key!r}"
            continue
        artifact = outputs[key]
        assert isinstance(artifact, channel.type)
        assert artifact.uri.startswith(f"{root}/{component.id}/{key}/"), artifact.uri
        assert artifact.fingerprint


def _check_pages(component: Component, outputs: dict[str, Artifact]) -> None:
    from penstock.cards import UnreadableArtifact, artifact_page

    for key, artifact in outputs.items():
        artifact.page_sections()  # which the page would only make a note of, if it raises
        try:
            artifact_page(artifact)
        except UnreadableArtifact as error:
            raise AssertionError(
                f"the page of {component.id}.{key} cannot be made: {error}"
            ) from error


def _check_cached(
    component: Component, root: str, project_root: str | os.PathLike[str], seed: int
) -> dict[str, Artifact]:
    runner = LocalDagRunner(in_process=True, store=f"{root}/metadata.db", progress="none")
    with _in_pipeline(component, root) as pipeline:
        settings: dict[str, Any] = {
            "project_root": str(project_root),
            "seed": seed,
            "deterministic": True,
        }
        first = runner.run(pipeline, **settings)[component.id]
        second = runner.run(pipeline, **settings)[component.id]
    assert first.state is NodeState.COMPLETE, first
    assert second.state is NodeState.CACHED, f"{component.id} was not cached: {second}"
    assert {key: [each.id for each in of] for key, of in first.outputs.items()} == {
        key: [each.id for each in of] for key, of in second.outputs.items()
    }
    return {key: artifacts[0] for key, artifacts in first.outputs.items()}


def _check_failure(
    component: Component, root: str, project_root: str | os.PathLike[str], seed: int
) -> None:
    kind: Any = type(component)
    run = kind.run

    def fail_at_the_end(self: Component, context: ExecutionContext) -> None:
        run(self, context)
        raise InterruptedError("half-way")

    kind.run = fail_at_the_end
    runner = LocalDagRunner(in_process=True, store=f"{root}/metadata.db", progress="none")
    try:
        with _in_pipeline(component, root) as pipeline:
            runner.run(pipeline, project_root=str(project_root), seed=seed)
    except RunFailed as failure:
        node = failure.result[component.id]
        assert node.state is NodeState.FAILED
        assert "half-way" in (node.error or "")
        assert node.log_path is not None
        assert os.path.isfile(node.log_path)
        for key in component.outputs:
            left = os.path.join(root, "root", component.id, key, str(node.execution_id))
            assert not os.path.exists(left), f"{component.id} failed and left {left}"
    else:
        raise AssertionError(f"{component.id} raised half-way and the run did not fail")
    finally:
        kind.run = run


@contextmanager
def _in_pipeline(component: Component, root: str) -> Iterator[Pipeline]:
    """Yield a pipeline of the component, its artifacts brought in by importers."""
    plain = component.inputs
    wired: dict[str, tuple[Channel | Artifact, ...]] = {}
    importers: list[Importer] = []
    for key, artifacts in plain.items():
        channels: list[Channel] = []
        for artifact in artifacts:
            assert isinstance(artifact, Artifact)
            importer = Importer(
                artifact.uri,
                type(artifact),
                properties=artifact.properties,
                custom_properties=artifact.custom_properties,
            ).with_id(f"import_{key}_{len(channels)}")
            importers.append(importer)
            channels.append(importer.outputs["result"])
        wired[key] = tuple(channels)
    component.inputs = wired
    try:
        yield Pipeline("contract", f"{root}/root", [*importers, component])
    finally:
        component.inputs = plain
