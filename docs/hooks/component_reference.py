"""Writes `reference/components.md` from the interface of each component, so that it cannot fall behind."""

from __future__ import annotations

import dataclasses
import inspect
import re
import types
import typing
from collections.abc import Mapping
from typing import Any

import griffe
from docstring_examples import as_code
from mkdocs.structure.files import File, Files

from penstock import Component, components
from penstock.dsl.interface import MISSING, Interface

PAGE = "reference/components.md"
GROUPS = {
    "Data": (
        "CsvExampleGen",
        "ParquetExampleGen",
        "AvroExampleGen",
        "TextExampleGen",
        "ImportExampleGen",
        "ImageExampleGen",
        "NumpyExampleGen",
        "TfdsExampleGen",
        "QueryExampleGen",
        "BigQueryExampleGen",
        "FileBasedExampleGen",
        "FilterRows",
        "Windows",
    ),
    "Data validation": (
        "StatisticsGen",
        "SchemaGen",
        "ImportSchemaGen",
        "ExampleValidator",
        "DistributionValidator",
        "DriftMonitor",
        "ExampleDiff",
    ),
    "Models": (
        "Transform",
        "Tuner",
        "Trainer",
        "Evaluator",
        "BaselineComparison",
        "ABGate",
        "ModelOptimizer",
        "InfraValidator",
        "Explainer",
        "Pusher",
        "ModelCard",
        "BulkInferrer",
    ),
}


def on_files(files: Files, config: Any) -> Files:
    """Add the page."""
    files.append(File.generated(config, PAGE, content=component_reference()))
    return files


def component_reference() -> str:
    """Return the page: what each component reads, takes and writes."""
    public = {name for name in components.__all__ if _is_component(getattr(components, name))}
    if missing := public - {name for names in GROUPS.values() for name in names}:
        raise ValueError(f"Give these components a group in {__file__}: {sorted(missing)}")
    lines = [
        "# Components",
        "",
        "`from penstock.components import ...`. Every argument is given by keyword. An input takes a "
        'channel (`example_gen.outputs["examples"]`) or, in a test, an artifact. This page is made from '
        "the components themselves.",
        "",
    ]
    for group, names in GROUPS.items():
        lines += [f"## {group}", ""]
        for name in names:
            lines += _component(getattr(components, name))
    return "\n".join(lines)


def _is_component(value: object) -> bool:
    return isinstance(value, type) and issubclass(value, Component)


def _component(kind: type[Component]) -> list[str]:
    sections = griffe.Docstring(inspect.getdoc(kind) or "", lineno=1).parse(
        "google", warnings=False
    )
    interface = kind.interface()
    module = kind.__module__
    lines = [f"### {kind.__name__} {{ #{module}.{kind.__name__} }}", ""]
    described = _descriptions(kind)
    for section in sections:
        if section.kind is griffe.DocstringSectionKind.text:
            lines += [section.value, ""]
    lines += _tables(interface, described)
    for section in sections:
        is_example = section.kind is griffe.DocstringSectionKind.admonition
        if is_example and section.value.kind in ("example", "examples"):
            lines += [as_code(section.value.contents), ""]
    return lines


def _tables(interface: Interface, described: Mapping[str, str]) -> list[str]:
    lines: list[str] = []
    if interface.inputs:
        lines += ["| input | type | |", "| --- | --- | --- |"]
        for name, spec in interface.inputs.items():
            kind = f"list of {spec.type.__name__}" if spec.several else spec.type.__name__
            optional = ", optional" if spec.optional else ""
            lines.append(f"| `{name}` | {kind}{optional} | {described.get(name, '')} |")
        lines.append("")
    if interface.parameters:
        lines += ["| parameter | type | default | |", "| --- | --- | --- | --- |"]
        for name, parameter in interface.parameters.items():
            kind = _type(parameter.annotation)
            default = _default(parameter.default)
            lines.append(f"| `{name}` | `{kind}` | {default} | {described.get(name, '')} |")
        lines.append("")
    lines += ["| output | type | |", "| --- | --- | --- |"]
    for name, output in interface.outputs.items():
        optional = ", may be absent" if output.optional else ""
        text = described.get(name, "")
        lines.append(f"| `{name}` | {output.type.__name__}{optional} | {text} |")
    return [*lines, ""]


def _descriptions(kind: type[Component]) -> dict[str, str]:
    """Return the sentence for each argument and output; a base class may hold those of its fields."""
    found: dict[str, str] = {}
    for owner in reversed(kind.__mro__):
        text = inspect.cleandoc(owner.__dict__.get("__doc__") or "")
        for title in ("Args", "Outputs"):
            match = re.search(rf"^{title}:\n((?:[ \t]+.*\n?|\n)+)", text, re.M)
            for entry in re.finditer(
                r"^ {4}(\w+):((?:.*\n?)(?: {8}.*\n?|\n)*)", match[1] if match else "", re.M
            ):
                found[entry[1]] = _cell(entry[2])
    return found


def _cell(text: str) -> str:
    return " ".join(text.split()).replace("|", "\\|")


def _type(annotation: Any) -> str:
    if annotation is type(None):
        return "None"
    if annotation is Any:
        return "Any"
    if annotation is Ellipsis:
        return "..."
    origin, arguments = typing.get_origin(annotation), typing.get_args(annotation)
    if origin is typing.Annotated:
        marker = getattr(arguments[1], "role", "")
        return {"module_file": "ModuleFile", "external_path": "ExternalPath"}.get(
            marker, _type(arguments[0])
        )
    if origin in (typing.Union, types.UnionType):
        return " | ".join(_type(each) for each in arguments)
    if origin is typing.Literal:
        return " | ".join(repr(each) for each in arguments)
    if origin is not None:
        inner = ", ".join(
            f"[{', '.join(map(_type, each))}]" if isinstance(each, list) else _type(each)
            for each in arguments
        )
        return f"{origin.__name__}[{inner}]"
    return getattr(annotation, "__name__", str(annotation))


def _default(value: Any) -> str:
    if value is MISSING:
        return "required"
    if dataclasses.is_dataclass(value) and value == type(value)():
        return f"`{type(value).__name__}()`"
    return f"`{value!r}`"
