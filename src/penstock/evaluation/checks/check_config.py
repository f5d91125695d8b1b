"""Checks of an EvalConfig against what is known before a run: itself, the features, the user's modules."""

from __future__ import annotations

import ast
import os
from collections.abc import Collection, Iterator
from typing import Any

from penstock.evaluation.checks.config_problems import config_problems
from penstock.evaluation.checks.problem import ConfigProblem
from penstock.evaluation.checks.threshold_entries import threshold_entries
from penstock.evaluation.config import as_eval_config
from penstock.evaluation.metrics.modules import is_built_in
from penstock.evaluation.requested_metrics import metric_features
from penstock.evaluation.slices.slicing_specs import cross_spec_name, spec_name, value_matches
from penstock.spelling import nearest


def check_config(
    config: object,
    *,
    features: Collection[str] | None = None,
    has_transform: bool = False,
    project_root: str | None = None,
) -> list[ConfigProblem]:
    """Return the problems of an EvalConfig that are known before a run; empty if there are none.

    Imports neither TensorFlow, pyarrow nor NumPy, and no user code.

    Args:
        config: An `EvalConfig`, TFMA's own, a dict or text.
        features: The raw examples' features, from a schema or a CSV header. With them, the features that
            labels, weights and slices are taken from are checked.
        has_transform: Whether the model may add transformed features. A key that is not among
            `features` is then reported only if one of them has nearly the same name.
        project_root: The folder of user modules. With it, the modules of user metrics are checked.

    Returns:
        Problems, each with its place in the config and a sentence.

    Raises:
        TypeError: If `config` is not an EvalConfig in any form.

    Example:
        >>> config = {"metrics_specs": [{"metrics": [{"class_name": "Acuracy"}]}]}
        >>> print(check_config(config)[0])
        metrics_specs[0].metrics[0]: There is no metric 'Acuracy'. Did you mean 'Accuracy'? ...
    """
    try:
        message = as_eval_config(config)
    except ValueError as error:
        return [ConfigProblem("", str(error))]
    found = list(config_problems(message))
    found += _unreachable_slices(message)
    found += _uncompared_slices(message)
    if features is not None:
        found += _features(message, features, has_transform)
    if project_root is not None:
        found += _modules(message, project_root)
    return found


def _unreachable_slices(config: Any) -> Iterator[ConfigProblem]:
    """Yield thresholds on slices that no slicing spec yields: such a model is never blessed."""
    slicings = list(config.slicing_specs) or [type(config)().slicing_specs.add()]
    for place, entry in threshold_entries(config, "per_slice_thresholds"):
        for wanted in entry.slicing_specs:
            if not any(_may_yield(slicing, wanted) for slicing in slicings):
                yield ConfigProblem(
                    place,
                    f"the slices {spec_name(wanted)} are not evaluated, so the model would never be "
                    "blessed. Add the SlicingSpec to EvalConfig.slicing_specs. Evaluated: "
                    f"{'; '.join(map(spec_name, slicings))}",
                )


def _uncompared_slices(config: Any) -> Iterator[ConfigProblem]:
    """Yield comparisons of slices that are not evaluated, and thresholds on pairs not compared."""
    slicings = list(config.slicing_specs) or [type(config)().slicing_specs.add()]
    evaluated = "; ".join(map(spec_name, slicings))
    for i, cross in enumerate(config.cross_slicing_specs):
        for wanted in (cross.baseline_spec, *cross.slicing_specs):
            if not any(_may_yield(slicing, wanted) for slicing in slicings):
                yield ConfigProblem(
                    f"cross_slicing_specs[{i}]",
                    f"the slices {spec_name(wanted)} are not evaluated, so they cannot be compared. Add "
                    f"the SlicingSpec to EvalConfig.slicing_specs. Evaluated: {evaluated}",
                )
    for place, entry in threshold_entries(config, "cross_slice_thresholds"):
        for wanted in entry.cross_slicing_specs:
            if not any(_may_compare(cross, wanted) for cross in config.cross_slicing_specs):
                compared = "; ".join(map(cross_spec_name, config.cross_slicing_specs))
                yield ConfigProblem(
                    place,
                    f"{cross_spec_name(wanted)} is not compared, so the model would never be "
                    "blessed. Add the CrossSlicingSpec to EvalConfig.cross_slicing_specs. "
                    f"Compared: {compared or 'nothing'}",
                )


def _may_compare(cross: Any, wanted: Any) -> bool:
    if not _may_yield(cross.baseline_spec, wanted.baseline_spec):
        return False
    if not cross.slicing_specs or not wanted.slicing_specs:
        return True
    return any(_may_yield(one, two) for one in cross.slicing_specs for two in wanted.slicing_specs)


def _may_yield(slicing: Any, wanted: Any) -> bool:
    columns = {*slicing.feature_keys, *slicing.feature_values}
    if columns != {*wanted.feature_keys, *wanted.feature_values}:
        return False
    return all(
        name not in slicing.feature_values
        or text == slicing.feature_values[name]
        or value_matches(_number(slicing.feature_values[name]), text)
        for name, text in wanted.feature_values.items()
    )


def _number(text: str) -> str | float:
    try:
        return float(text)
    except ValueError:
        return text


def _features(
    config: Any, features: Collection[str], has_transform: bool
) -> Iterator[ConfigProblem]:
    for place, name, what in _feature_names(config):
        near = nearest(name, features)
        if name in features or (has_transform and not near):
            continue
        listed = ", ".join(sorted(features)[:20]) + (", ..." if len(features) > 20 else "")
        yield ConfigProblem(
            place, f"the {what} {name!r} is not a feature of the examples.{near} Features: {listed}"
        )


def _feature_names(config: Any) -> Iterator[tuple[str, str, str]]:
    for i, spec in enumerate(config.model_specs):
        for field, what in (("label_key", "label"), ("example_weight_key", "example weight")):
            if name := getattr(spec, field):
                yield f"model_specs[{i}].{field}", name, what
            for output, name in sorted(getattr(spec, f"{field}s").items()):
                yield f"model_specs[{i}].{field}s[{output!r}]", name, what
    for i, spec in enumerate(config.slicing_specs):
        for name in (*spec.feature_keys, *sorted(spec.feature_values)):
            yield f"slicing_specs[{i}]", name, "slicing feature"
    try:
        yield from ((place, name, "metric's feature") for place, name in metric_features(config))
    except ValueError:
        # A faulty metric is named by itself.
        return


def _modules(config: Any, project_root: str) -> Iterator[ConfigProblem]:
    for i, spec in enumerate(config.metrics_specs):
        for j, metric in enumerate(spec.metrics):
            if not metric.module or is_built_in(metric):
                continue
            place = f"metrics_specs[{i}].metrics[{j}]"
            base = os.path.join(project_root, *metric.module.split("."))
            files = [f for f in (f"{base}.py", f"{base}/__init__.py") if os.path.isfile(f)]
            if not files:
                # A module of an installed package, or the file's bare name beside `module_file`.
                continue
            names = _names_defined(files[0])
            if names is not None and metric.class_name not in names:
                yield ConfigProblem(
                    place,
                    f"{os.path.relpath(files[0], project_root)} defines no {metric.class_name!r}."
                    f"{nearest(metric.class_name, names)}",
                )


def _names_defined(file: str) -> set[str] | None:
    """Return the names at a file's top level; None if that is not known without running it."""
    try:
        with open(file, "rb") as source:
            tree = ast.parse(source.read(), file)
    except SyntaxError:
        return None
    names: set[str] = set()
    for node in tree.body:
        if isinstance(node, ast.ClassDef | ast.FunctionDef):
            names.add(node.name)
        elif isinstance(node, ast.Import | ast.ImportFrom):
            names.update(alias.asname or alias.name for alias in node.names)
        elif isinstance(node, ast.Assign):
            names.update(t.id for t in node.targets if isinstance(t, ast.Name))
        elif not isinstance(node, ast.Expr | ast.AnnAssign):
            return None
    return None if "*" in names else names
