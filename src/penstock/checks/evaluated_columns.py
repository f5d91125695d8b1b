"""Whether the columns that an EvalConfig names are in the data, where its header can be read."""

from __future__ import annotations

import csv
import itertools
import os
from collections.abc import Iterator
from typing import Any

from penstock.artifacts import location
from penstock.checks.finding import Finding
from penstock.graph import Graph, GraphNode
from penstock.spelling import did_you_mean

_EVALUATOR = "tfx.components.evaluator.component.Evaluator"
_CSV = "tfx.components.example_gen.csv_example_gen.component.CsvExampleGen"
_LONGEST_HEADER = 1 << 20


def check_evaluated_columns(
    node: GraphNode, graph: Graph, project_root: str, place: str
) -> Iterator[Finding]:
    """Yield labels, weights and slices of an Evaluator that name no column of its examples.

    Only examples that a CsvExampleGen reads from local files are looked at, and of those the header.

    Args:
        node: Any node; those that are no Evaluator are passed over.
        graph: The graph, its runtime parameters bound.
        project_root: Folder that relative paths are relative to.
        place: Where the node is made, for messages.
    """
    config = node.parameters.get("eval_config")
    if node.type_name != _EVALUATOR or not isinstance(config, dict) or "fields" not in config:
        return
    columns = _columns(node, graph, project_root)
    if not columns:
        return
    for where, name in _named(config["fields"]):
        if name not in columns:
            message = f"{node.id}: {where} names the column {name!r}, which the data does not have."
            yield Finding("error", place, message + did_you_mean(name, columns), node.id)


def _named(config: dict[str, Any]) -> Iterator[tuple[str, str]]:
    models = config.get("model_specs", [])
    if any(model.get("preprocessing_function_names") for model in models):
        # Labels, weights and slices may then be of what the model's function makes.
        return
    for place, model in enumerate(models):
        for one, several in (
            ("label_key", "label_keys"),
            ("example_weight_key", "example_weight_keys"),
        ):
            names = [model.get(one), *model.get(several, {}).values()]
            for name in filter(None, names):
                yield f"model_specs[{place}].{one}", name
    for place, spec in enumerate(config.get("slicing_specs", [])):
        for name in (*spec.get("feature_keys", []), *spec.get("feature_values", {})):
            yield f"slicing_specs[{place}]", name


def _columns(node: GraphNode, graph: Graph, project_root: str) -> list[str]:
    """Return the columns of the examples that a node reads; none where they are not known."""
    producers = {each.id: each for each in graph.nodes}
    (edge, *_) = [*node.inputs.get("examples", ()), None]
    source = None if edge is None else producers.get(edge.producer)
    if source is None or source.type_name != _CSV:
        return []
    base, delimiter = source.parameters.get("input_base"), source.parameters.get("delimiter", ",")
    if not isinstance(base, str) or not isinstance(delimiter, str):
        return []
    path = location.absolute(base, project_root)
    if not location.is_local(path):
        return []
    file = _first_file(path)
    return [] if file is None else _header(file, delimiter, source.parameters.get("encoding"))


def _first_file(path: str) -> str | None:
    if os.path.isfile(path):
        return path
    for folder, folders, names in itertools.islice(os.walk(path), 100):
        folders.sort()
        for name in sorted(names):
            if name[0] not in "._" and name.endswith(".csv"):
                return os.path.join(folder, name)
    return None


def _header(file: str, delimiter: str, encoding: Any) -> list[str]:
    try:
        with open(file, encoding=encoding or "utf-8", newline="") as lines:
            first = lines.readline(_LONGEST_HEADER)
        return next(csv.reader([first.removeprefix("\ufeff")], delimiter=delimiter), [])
    except (OSError, LookupError, UnicodeError, csv.Error, TypeError):
        # It is told where the file is read.
        return []
