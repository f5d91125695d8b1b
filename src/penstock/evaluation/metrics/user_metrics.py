"""Metrics of user modules: the class or function that a `MetricConfig` names, and their kernels."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Mapping, Sequence
from importlib import import_module
from types import ModuleType
from typing import Any

import numpy as np

from penstock.evaluation.inputs import MetricInputs
from penstock.evaluation.kernels.queries import Queries, QueryRows
from penstock.evaluation.kernels.sums import (
    Kernel,
    RowMean,
    View,
    WeightedMean,
    row_arrays,
    rows_by_group,
)
from penstock.evaluation.metric import ROW_METRIC, Metric
from penstock.evaluation.metrics.catalog import parse_metric_config, snake_case
from penstock.evaluation.metrics.keras_metrics import (
    KerasStates,
    LossOfRows,
    is_keras_loss,
    is_keras_metric,
)
from penstock.evaluation.metrics.keras_rows import mean_or_zero
from penstock.evaluation.metrics.modules import COUNTS, catalog_key, is_built_in
from penstock.evaluation.metrics.ranking import query_count
from penstock.evaluation.metrics.registry import Computation, build_metric
from penstock.evaluation.slices.slicing import Membership
from penstock.spelling import nearest


def computation_of(
    metric: Any, modules: Mapping[str, ModuleType], query_key: str = ""
) -> Computation:
    """Return the computation that a `MetricConfig` asks for.

    Args:
        metric: The `MetricConfig`.
        modules: User modules by name; others are imported.
        query_key: The feature by which rows are grouped, if they are.

    Raises:
        ValueError: If there is no such metric, or it does not take its arguments.
    """
    if is_built_in(metric):
        if query_key and metric.class_name in COUNTS:
            return query_count()
        return build_metric(catalog_key(metric), metric.config)[1]
    found = find_metric(metric, modules)
    where = f"{metric.module}.{metric.class_name}"
    arguments = dict(parse_metric_config(metric.class_name, metric.config))
    name = str(arguments.pop("name", None) or snake_case(metric.class_name))
    if getattr(found, ROW_METRIC, False):
        _check_arguments(where, found, arguments, (None, None))
        return Computation((RowMean, functools.partial(found, **arguments)), _mean)
    if inspect.isclass(found) and issubclass(found, Metric):
        _check_arguments(where, found, arguments, ())
        make = functools.partial(found, **arguments)
        _made(where, make)
        if query_key:
            return Computation(
                (Queries, ()), lambda rows: _value(where, _of_queries(make(), rows).result())
            )
        return Computation((States, make), lambda state: _value(where, state.result()))
    if query_key:
        raise ValueError(
            f"{where} stands in a MetricsSpec with a query_key. Expected: a class derived from "
            "penstock.evaluation.Metric, which gets the rows of a query in each `add`."
        )
    if is_keras_metric(found):
        _check_arguments(where, found, arguments, ())
        make = functools.partial(found, **arguments, name=name)
        try:
            _made(where, make)
        except ValueError:
            # A metric whose constructor takes no name.
            make = functools.partial(found, **arguments)
            _made(where, make)
        return Computation((KerasStates, make), lambda result: _value(where, result))
    if is_keras_loss(found):
        _check_arguments(where, found, arguments, ())
        function = LossOfRows(where, _made(where, functools.partial(found, **arguments)))
        return Computation((WeightedMean, function), mean_or_zero)
    raise ValueError(
        f"{where} is not a metric. Expected: a class derived from penstock.evaluation.Metric, a "
        "function with the decorator penstock.evaluation.row_metric, or a Keras metric or loss. Received: "
        f"{found!r}"
    )


def _of_queries(metric: Metric, rows: QueryRows) -> Metric:
    """Add the rows query by query."""
    labels = (
        rows.labels[:, 0] if rows.labels.ndim > 1 and rows.labels.shape[1] == 1 else rows.labels
    )
    for start, size, weight in zip(rows.starts, rows.sizes, rows.weights, strict=True):
        query = slice(start, start + size)
        metric.add(labels[query], rows.scores[query], np.full(size, weight))
    return metric


class States(Kernel):
    """One object of a user's `Metric` a group. Params: what makes one."""

    NEEDS_NUMBERS = False

    def __init__(self, params: Any, view: View) -> None:
        super().__init__(params, view)
        self._states: list[Metric] = []

    def add(self, inputs: MetricInputs, membership: Membership) -> None:
        """Add a batch."""
        self._grow(membership.count)
        labels, predictions, weights = row_arrays(inputs, self.view)
        for group, rows in rows_by_group(membership):
            self._states[group].add(labels[rows], predictions[rows], weights[rows])

    def merge(self, other: States, groups: Sequence[int]) -> None:
        """Add another kernel's objects."""
        self._grow(max(groups, default=-1) + 1)
        for group, state in zip(groups, other._states, strict=False):
            self._states[group].merge(state)

    def state(self, group: int) -> Metric:
        """Return one group's object."""
        self._grow(group + 1)
        return self._states[group]

    def _grow(self, count: int) -> None:
        self._states += [self.params() for _ in range(count - len(self._states))]


def find_metric(metric: Any, modules: Mapping[str, ModuleType]) -> Any:
    """Return the class or function of a module that a `MetricConfig` names.

    Raises:
        ValueError: If there is none.
    """
    name = metric.module
    module = modules.get(name)
    if module is None:
        try:
            module = import_module(name)
        except ModuleNotFoundError as error:
            if error.name is None or not f"{name}.".startswith(f"{error.name}."):
                raise
            raise ValueError(
                f"MetricConfig(class_name={metric.class_name!r}, module={name!r}): there is no module "
                f"{error.name!r}. A module is named relative to the project's root, such as "
                "modules.metrics."
            ) from error
    if not hasattr(module, metric.class_name):
        known = [key for key, value in vars(module).items() if callable(value)]
        raise ValueError(
            f"{getattr(module, '__file__', None) or name} defines no {metric.class_name!r}, which "
            f"MetricConfig.module={name!r} should.{nearest(metric.class_name, known)}"
        )
    return getattr(module, metric.class_name)


def _check_arguments(
    where: str, made_by: Callable[..., Any], arguments: Mapping[str, Any], given: Sequence[Any]
) -> None:
    try:
        signature = inspect.signature(made_by)
        signature.bind(*given, **arguments)
    except TypeError as error:
        raise ValueError(
            f"{where} does not take its MetricConfig.config: {error}. Its arguments: {signature}. "
            f"Received: {dict(arguments)}"
        ) from error


def _made(where: str, make: Callable[[], Any]) -> Any:
    try:
        return make()
    except Exception as error:
        raise ValueError(
            f"{where} cannot be constructed: {type(error).__name__}: {error}"
        ) from error


def _mean(state: Any) -> float:
    return float(state[0] / state[1]) if state[1] != 0 else float("nan")


def _value(where: str, result: Any) -> Any:
    try:
        array = np.asarray(result, dtype=np.float64)
    except (TypeError, ValueError) as error:
        raise ValueError(
            f"{where} must return a number or an array of numbers. Received: {result!r}"
        ) from error
    return float(array.reshape(())) if array.size == 1 else array
