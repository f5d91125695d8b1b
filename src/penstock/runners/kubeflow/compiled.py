"""Reading a compiled pipeline back: what its tasks are, in the pipeline's words."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from penstock.dsl.exceptions import DefinitionError
from penstock.launch.pipeline_difference import NodeDescription, PipelineDescription
from penstock.runners.kubeflow.container.task import ContainerTask
from penstock.runners.kubeflow.limits import PIPELINE_ROOT
from penstock.runners.kubeflow.pods import POD_IDENTITY

_STORE = "PENSTOCK_STORE"


class NotCompiledHere(DefinitionError):
    """A file is no pipeline that Penstock compiled for Kubeflow."""


def describe_compiled(text: str) -> PipelineDescription:
    """Return what a compiled pipeline consists of.

    Args:
        text: Kubeflow Pipelines IR, as `compile_to_yaml` returned it.

    Raises:
        NotCompiledHere: If it is something else.
    """
    import yaml  # type: ignore[import-untyped]

    try:
        documents = list(yaml.safe_load_all(text))
        specification = documents[0]
        executors = specification["deploymentSpec"]["executors"]
        root = specification["root"]
        name = (
            specification["pipelineInfo"].get("displayName")
            or specification["pipelineInfo"]["name"]
        )
        platform = documents[1]["platforms"]["kubernetes"]["deploymentSpec"]["executors"]
        nodes: dict[str, NodeDescription] = {}
        for task in _in_order(root["dag"]["tasks"]):
            label = specification["components"][task["componentRef"]["name"]]["executorLabel"]
            container = executors[label]["container"]
            told = ContainerTask.parse(container["args"][container["args"].index("--task") + 1])
            if told.looks:
                continue  # belongs to the node that comes next
            nodes[told.node.id] = _node(told, container, platform.get(label, {}), task)
    except (yaml.YAMLError, LookupError, TypeError, ValueError, AttributeError) as error:
        raise NotCompiledHere(
            "This is not a pipeline that `penstock compile --to kubeflow` wrote "
            f"({type(error).__name__}: {error})."
        ) from None
    inputs = root.get("inputDefinitions", {}).get("parameters", {})
    defaults = {key: _default(each) for key, each in inputs.items()}
    settings = {"root": defaults.pop(PIPELINE_ROOT, None)}
    return PipelineDescription(name, settings, defaults, nodes)


def _default(declared: Mapping[str, Any]) -> Any:
    """Return the default of a parameter; YAML has floats alone for numbers."""
    value = declared.get("defaultValue")
    if value is None or declared.get("parameterType") != "NUMBER_INTEGER":
        return value
    return int(value)


def _in_order(tasks: Mapping[str, Any]) -> list[Any]:
    """Return tasks in a topological order."""
    found: dict[str, Any] = {}

    def visit(name: str) -> None:
        if name not in found:
            for before in tasks[name].get("dependentTasks", ()):
                visit(before)
            found[name] = tasks[name]

    for each in sorted(tasks):
        visit(each)
    return list(found.values())


def _node(
    told: ContainerTask,
    container: Mapping[str, Any],
    pod: Mapping[str, Any],
    task: Mapping[str, Any],
) -> NodeDescription:
    computes: dict[str, Any] = {}
    if told.seed is not None:
        computes["the seed"] = told.seed
    if told.deterministic:
        computes["the determinism switch"] = True
    runs = {**dict(_resources(container)), **dict(_pod(pod))}
    runs |= {f"environment {each['name']}": each["value"] for each in container.get("env", ())}
    program = {"image": container["image"], "project archive": told.archive}
    runs |= {words: _parameter(each) for words, each in program.items() if each}
    cached = task.get("cachingOptions", {}).get("enableCache")
    return NodeDescription.of(told.node, runs, computes, program if cached else ())


def _resources(container: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    given = container.get("resources", {})
    accelerator = given.get("accelerator", {})
    for words, value in (
        ("cpu", given.get("resourceCpuLimit")),
        ("memory", given.get("resourceMemoryLimit")),
        ("accelerator", accelerator.get("resourceType")),
        ("accelerator_count", accelerator.get("resourceCount")),
    ):
        if value is not None:
            yield words, _parameter(value)


def _parameter(value: str) -> str:
    """Return a value, or the parameter of the pipeline that it comes from."""
    before, found, name = str(value).partition("pipelinechannel--")
    return f"runtime parameter {name.partition(chr(39))[0]}" if found and "{{" in before else value


def _pod(told: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    """Yield the settings of a pod: words and value."""
    for of, kind, key in (("secretAsEnv", "secret", "secretKey"),
                          ("configMapAsEnv", "configMap", "configMapKey")):  # fmt: skip
        for source in told.get(of, ()):
            for each in source["keyToEnv"]:
                words = "the store" if each["envVar"] == _STORE else f"environment {each['envVar']}"
                yield words, f"{kind} {source[f'{kind}Name']}/{each[key]}"
    for each in told.get("fieldPathAsEnv", ()):
        if each["name"] not in POD_IDENTITY:
            yield f"environment {each['name']}", each["fieldPath"]
    yield from _mounts(told)
    for words, of in (("node selector", told.get("nodeSelector", {}).get("labels", {})),
                      ("label", told.get("podMetadata", {}).get("labels", {})),
                      ("annotation", told.get("podMetadata", {}).get("annotations", {}))):  # fmt: skip
        for key, value in of.items():
            yield f"{words} {key}", value
    for each in told.get("tolerations", ()):
        effect = each.get("effect", "every effect")
        yield (
            f"toleration of {each.get('key', 'every taint')}",
            f"{each.get('value', 'any')}: {effect}",
        )
    for number, each in enumerate(told.get("nodeAffinity", ()), 1):
        rules = [
            f"{rule['key']} {rule['operator']} {', '.join(rule.get('values', ()))}".rstrip()
            for rule in each.get("matchExpressions", ())
        ]
        weight = f"weight {int(each['weight'])}" if "weight" in each else "required"
        yield f"affinity {number}", f"{' and '.join(rules)}, {weight}"
    if "imagePullPolicy" in told:
        yield "image_pull_policy", told["imagePullPolicy"]
    secrets = [each["secretName"] for each in told.get("imagePullSecret", ())]
    if secrets:
        yield "image_pull_secrets", ", ".join(secrets)
    for words, key in (("run_as_user", "runAsUser"), ("run_as_group", "runAsGroup")):
        if key in told.get("securityContext", {}):
            yield words, told["securityContext"][key]


def _mounts(told: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    for each in told.get("pvcMount", ()):
        below = f", folder {each['subPath']}" if each.get("subPath") else ""
        yield f"mount {each['mountPath']}", f"claim {each['constant']}{below}"
    for each in told.get("secretAsVolume", ()):
        yield f"mount {each['mountPath']}", f"secret {each['secretName']}"
    for each in told.get("configMapAsVolume", ()):
        yield f"mount {each['mountPath']}", f"config map {each['configMapName']}"
    for each in told.get("emptyDirMounts", ()):
        where = " in memory" if each.get("medium") == "Memory" else ""
        yield (
            f"mount {each['mountPath']}",
            f"empty folder{where} of {each.get('sizeLimit', 'any size')}",
        )
    for each in told.get("genericEphemeralVolume", ()):
        kind = each.get("storageClassName", "the default class")
        yield f"mount {each['mountPath']}", f"ephemeral volume of {each['size']}, {kind}"
