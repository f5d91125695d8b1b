"""Checks of an Evaluator's EvalConfig against the features of its examples, as far as files name them."""

from __future__ import annotations

import csv
import os
import re
from collections.abc import Iterator
from typing import Any

from penstock.artifacts import location
from penstock.checks.finding import Finding
from penstock.checks.surroundings import external_files
from penstock.evaluation import check_config
from penstock.graph import Graph, GraphNode
from penstock.spelling import nearest

_EVALUATOR = "tfx.components.evaluator.component.Evaluator"
_CSV = "tfx.components.example_gen.csv_example_gen.component.CsvExampleGen"
_IMPORT_SCHEMA = "tfx.components.schema_gen.import_schema_gen.component.ImportSchemaGen"
_LONGEST_HEADER = 1 << 20


def check_eval_config(
    node: GraphNode, graph: Graph, project_root: str, place: str
) -> Iterator[Finding]:
    """Yield the problems of an Evaluator's config.

    Labels, weights and slices are looked up in the header of a CsvExampleGen's local files, or else
    in the file of an ImportSchemaGen. If the model has a Transform, they may name transformed
    features, so an unknown name is only a warning.

    Args:
        node: Any node; only Evaluators are checked.
        graph: The graph, its runtime parameters bound.
        project_root: Folder that relative paths are relative to.
        place: Where the node is created, for messages.
    """
    config = node.parameters.get("eval_config")
    if node.type_name != _EVALUATOR or not isinstance(config, dict) or "fields" not in config:
        return
    model = _producer(node, "model", graph)
    # Of a model from elsewhere it is not known.
    has_transform = model is None or model.kind != "component" or "transform_graph" in model.inputs
    known = [str(each) for each in check_config(config["fields"], project_root=project_root)]
    for message in known:
        yield Finding("error", place, f"{node.id}: {message}", node.id)
    features = _columns(node, graph, project_root) or _schema_features(node, graph, project_root)
    if not features:
        return
    yield from _id_key(node, features, place)
    if has_transform:
        features += [name for name in _texts(config["fields"]) if _is_derived(name, features)]
    for problem in check_config(
        config["fields"], features=features, has_transform=has_transform, project_root=project_root
    ):
        if str(problem) not in known:
            level = "warning" if has_transform else "error"
            yield Finding(level, place, f"{node.id}: {problem}", node.id)  # type: ignore[arg-type]


def _id_key(node: GraphNode, features: list[str], place: str) -> Iterator[Finding]:
    """Yield the problem of an `id_key` that is no raw feature: the rows' ids are never transformed."""
    name = node.parameters.get("id_key")
    if isinstance(name, str) and name and name not in features:
        text = f"id_key={name!r} is not a feature of the examples.{nearest(name, features)}"
        listed = ", ".join(sorted(features)[:20])
        yield Finding("error", place, f"{node.id}: {text} Features: {listed}", node.id)


def _texts(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, (dict, list)):
        for each in value.values() if isinstance(value, dict) else value:
            yield from _texts(each)


def _is_derived(name: str, features: list[str]) -> bool:
    """Return whether a name is what one gives a transformed feature: `species_xf` of `species`.

    What cannot stand in an identifier often becomes `_`: `net_pay_xf` of `net pay`.
    """
    plain = {re.sub(r"\W", "_", each) for each in features}.union(features) - {""}
    return any(name.startswith(f"{each}_") or name.endswith(f"_{each}") for each in plain)


def _producer(node: GraphNode, key: str, graph: Graph) -> GraphNode | None:
    wanted = {edge.producer for edge in node.inputs.get(key, ())}
    return next((each for each in graph.nodes if each.id in wanted), None)


def _columns(node: GraphNode, graph: Graph, project_root: str) -> list[str]:
    """Return the columns of the CSV files that a node's examples come from; none if not known."""
    source = _producer(node, "examples", graph)
    if source is None or source.type_name != _CSV:
        return []
    delimiter = source.parameters.get("delimiter", ",")
    if not isinstance(delimiter, str):
        return []
    try:
        (file, *_) = external_files(source, project_root)
    except (OSError, ValueError):
        # It is told of the component that reads the files.
        return []
    return _header(file, delimiter, source.parameters.get("encoding"))


def _header(file: str, delimiter: str, encoding: Any) -> list[str]:
    try:
        with open(file, encoding=encoding or "utf-8", newline="") as lines:
            first = lines.readline(_LONGEST_HEADER)
        return next(csv.reader([first.removeprefix("\ufeff")], delimiter=delimiter), [])
    except (OSError, LookupError, UnicodeError, csv.Error, TypeError):
        # It is told where the file is read.
        return []


def _schema_features(node: GraphNode, graph: Graph, project_root: str) -> list[str]:
    """Return the features of the schema file that a node's schema comes from; none if not known."""
    source = _producer(node, "schema", graph)
    if source is None or source.type_name != _IMPORT_SCHEMA:
        return []
    file = source.parameters.get("schema_file")
    path = location.absolute(file, project_root) if isinstance(file, str) else ""
    if not location.is_local(path) or not os.path.isfile(path):
        return []
    try:
        from google.protobuf import text_format
        from tensorflow_metadata.proto.v0 import schema_pb2

        with open(path, encoding="utf-8") as text:
            schema = text_format.Parse(text.read(), schema_pb2.Schema())
    except (ImportError, OSError, UnicodeError, text_format.ParseError):
        return []
    return [feature.name for feature in schema.feature]
