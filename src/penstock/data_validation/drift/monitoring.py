"""Measuring drift: from statistics and rows to a report."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from types import MappingProxyType

import pyarrow as pa
from tensorflow_metadata.proto.v0 import schema_pb2, statistics_pb2

from penstock.data_validation.drift.limits import DriftLimit
from penstock.data_validation.drift.observed import ObservedRows
from penstock.data_validation.drift.reference import FeatureReference, reference_of
from penstock.data_validation.drift.report import DriftReport, drift_of_features
from penstock.data_validation.path_steps import path_to_text
from penstock.io.pii import personal_features
from penstock.spelling import did_you_mean

ANSWERS = "served.output."
"""What the names of a request log's answers begin with."""
SERVING = "SERVING"
"""The environment in whose rows a schema expects no labels."""
_NO_LIMITS: Mapping[str, DriftLimit] = MappingProxyType({})


def measure_drift(
    statistics: statistics_pb2.DatasetFeatureStatistics,
    batches: Iterable[pa.RecordBatch],
    *,
    schema: schema_pb2.Schema | None = None,
    predictions: statistics_pb2.DatasetFeatureStatistics | None = None,
    limits: Mapping[str, DriftLimit] = _NO_LIMITS,
    default: DriftLimit | None = None,
    exclude: Collection[str] = (),
    min_rows: int = 100,
) -> DriftReport:
    """Compare rows with the statistics that a model was trained on.

    Numbers are counted between the deciles of the statistics, strings by the most frequent values, so the
    result does not depend on how the rows are divided into batches.

    Args:
        statistics: Statistics of the training data.
        batches: The rows.
        schema: The schema; what it expects only in training, such as labels, is not compared, and values of
            features with the tag `PII` are not told.
        predictions: Statistics of what a model answered when nothing had drifted: of an earlier request
            log, or of a BulkInferrer's examples. Features of the same name, with or without
            `served.output.` before it, are compared.
        limits: Limits of single features and predictions.
        default: The limits of all others; `DriftLimit()` by default.
        exclude: Features that are not compared, such as labels and identifiers.
        min_rows: With fewer rows nothing is judged.

    Raises:
        ValueError: If a name in `limits` or `exclude` is not in the statistics.
        TypeError: If a feature has another type than in the statistics.

    Example:
        >>> report = measure_drift(statistics.datasets[0], split.batches(), exclude=["tips"])
        >>> report.verdict, report.reasons
        ('drift', ['fare: stability index 0.71, over 0.2'])
    """
    left_out = {*exclude, *_only_in_training(schema)}
    personal = personal_features(schema)
    known = _references(statistics)
    answers = {} if predictions is None else _references(predictions)
    _check_names([*limits, *exclude], [*known, *answers])
    compared = {name: each for name, each in known.items() if name not in left_out}
    seen, answered = ObservedRows(compared), ObservedRows(_as_logged(answers, known, left_out))
    for batch in batches:
        seen.add(batch)
        answered.add(batch)
    if seen.rows < min_rows:
        return DriftReport(seen.rows, unjudged=f"{seen.rows} rows, at least {min_rows} are needed")
    default = default or DriftLimit()
    return DriftReport(
        seen.rows,
        tuple(
            each.without_values() if each.name in personal else each
            for each in drift_of_features(seen, limits, default)
        ),
        drift_of_features(answered, limits, default, "the prediction "),
    )


def _references(
    statistics: statistics_pb2.DatasetFeatureStatistics,
) -> dict[str, FeatureReference]:
    found = {}
    for feature in statistics.features:
        name = feature.name or path_to_text(tuple(feature.path.step))
        reference = reference_of(feature)
        if reference is not None:
            found[name] = reference
    return found


def _as_logged(
    answers: Mapping[str, FeatureReference],
    features: Mapping[str, FeatureReference],
    left_out: Collection[str],
) -> dict[str, FeatureReference]:
    """Return the references of answers by the names that a request log gives them."""
    found = {}
    for name, each in answers.items():
        if name.startswith(ANSWERS):
            found[name] = each
        elif name not in features and name not in left_out and not name.startswith("served."):
            found[f"{ANSWERS}{name}"] = each
    return found


def _only_in_training(schema: schema_pb2.Schema | None) -> set[str]:
    if schema is None:
        return set()
    return {
        feature.name
        for feature in schema.feature
        if SERVING in feature.not_in_environment
        or (feature.in_environment and SERVING not in feature.in_environment)
    }


def _check_names(names: Iterable[str], known: Collection[str]) -> None:
    for name in names:
        if name not in known:
            raise ValueError(f"The statistics have no feature {name!r}.{did_you_mean(name, known)}")
