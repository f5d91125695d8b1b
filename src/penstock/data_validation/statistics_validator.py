"""Checking statistics against a schema."""

import logging
from collections.abc import Collection, Mapping, Sequence

from tensorflow_metadata.proto.v0 import anomalies_pb2, schema_pb2

from penstock.data_validation.anomalies.checked_statistics import CheckedDataset, CheckedFeature
from penstock.data_validation.anomalies.dataset_check import check_dataset
from penstock.data_validation.anomalies.finding import AnomalyType, Finding
from penstock.data_validation.anomalies.schema_editor import NEW_COLUMN, SchemaEditor
from penstock.data_validation.path_steps import PathSteps, path_to_text
from penstock.data_validation.schema_inference import (
    Statistics,
    check_schema,
    check_statistics,
    default_dataset,
    update_schema,
)
from penstock.data_validation.unchecked_schema import (
    fields_without_effect,
    fields_without_statistics,
    incomparable_features,
    unchecked_fields,
)

__all__ = ["update_schema", "validate_statistics"]

MULTIPLE = "Multiple errors"
_MISSING_COLUMN = Finding(
    AnomalyType.SCHEMA_MISSING_COLUMN, "Column dropped", "Column is completely missing"
)
_MAX_STRING_DOMAIN_SIZE = 400
_LISTED = 10
_LOG = logging.getLogger(__name__)


def validate_statistics(
    statistics: Statistics,
    schema: schema_pb2.Schema,
    environment: str | None = None,
    previous_statistics: Statistics | None = None,
    serving_statistics: Statistics | None = None,
    previous_version_statistics: Statistics | None = None,
    *,
    severity_overrides: Mapping[str, str] | None = None,
    features_needed: Collection[PathSteps] | None = None,
) -> anomalies_pb2.Anomalies:
    """Check statistics against a schema.

    Args:
        statistics: Statistics of the data.
        schema: The schema that the data should match.
        environment: Check for an environment of the schema's `default_environment`.
        previous_statistics: Statistics of the previous span, for drift comparators.
        serving_statistics: Statistics of serving data, for skew comparators.
        previous_version_statistics: Statistics of the previous version of the same span.
        severity_overrides: Severities ("ERROR", "WARNING", or "UNKNOWN" for what is not to be reported
            alone) by the name of an anomaly type; all others are errors.
        features_needed: The paths (tuples of steps) of new features to report; by default all that
            the schema lacks.

    Returns:
        One AnomalyInfo for each feature with anomalies, keyed by its path as text; the measured
        distances; `data_missing` if there are no rows. Constraints of the schema that are not
        checked are logged as a warning.

    Raises:
        TypeError: If an argument is of another type.
        ValueError: If the environment or an anomaly type is unknown.

    Example:
        >>> anomalies = validate_statistics(stats, schema)
        >>> {name: info.short_description for name, info in anomalies.anomaly_info.items()}
        {'fare': 'Out-of-range values'}
    """
    check_statistics(statistics)
    check_schema(schema)
    others = {
        "previous": previous_statistics,
        "serving": serving_statistics,
        "previous_version": previous_version_statistics,
    }
    given = [name for name, other in others.items() if other is not None]
    unchecked = unchecked_fields(schema, compared_with=given)
    dataset = default_dataset(statistics)
    unchecked += fields_without_effect(schema) + fields_without_statistics(schema, dataset)
    for name, comparator in (("previous", "drift_comparator"), ("serving", "skew_comparator")):
        other = others[name]
        if other is not None:
            control = default_dataset(other, f"{name}_statistics")
            unchecked += incomparable_features(schema, dataset, control, comparator)
    _tell(unchecked)
    return find_anomalies(
        statistics,
        schema,
        environment,
        others,
        severity_overrides=severity_overrides,
        features_needed=features_needed,
    )


def _tell(unchecked: Sequence[str]) -> None:
    if unchecked:
        listed = "; ".join(unchecked[:_LISTED])
        more = f"; and {len(unchecked) - _LISTED} more" if len(unchecked) > _LISTED else ""
        _LOG.warning("Parts of the schema are not checked here: %s%s.", listed, more)


def find_anomalies(
    statistics: Statistics,
    schema: schema_pb2.Schema,
    environment: str | None = None,
    others: Mapping[str, Statistics | None] | None = None,
    *,
    severity_overrides: Mapping[str, str] | None = None,
    features_needed: Collection[PathSteps] | None = None,
) -> anomalies_pb2.Anomalies:
    """Check statistics like `validate_statistics`, without logging what is not checked.

    Args:
        statistics: Statistics of the data.
        schema: What the data should be like.
        environment: Check for an environment of the schema's `default_environment`.
        others: The "previous", "serving" and "previous_version" statistics.
        severity_overrides: See `validate_statistics`.
        features_needed: See `validate_statistics`.
    """
    dataset = default_dataset(statistics)
    if environment is not None and environment not in schema.default_environment:
        raise ValueError(
            f"Environment {environment!r} not found in the schema. Its default_environment: "
            f"{list(schema.default_environment)}"
        )
    by_weight = CheckedDataset(dataset).by_weight

    def view_of(name: str) -> CheckedDataset | None:
        other = (others or {}).get(name)
        control = None if other is None else default_dataset(other, f"{name}_statistics")
        if control is None or not control.ByteSize():
            return None  # as in TFDV, where empty statistics are none
        return CheckedDataset(control, by_weight, environment)

    view = CheckedDataset(
        dataset,
        by_weight,
        environment,
        view_of("previous"),
        view_of("serving"),
        view_of("previous_version"),
    )
    if not dataset.num_examples:
        return anomalies_pb2.Anomalies(baseline=schema, data_missing=True)
    severities = {
        AnomalyType.Type.Value(kind): AnomalyType.Severity.Value(severity)
        for kind, severity in (severity_overrides or {}).items()
    }
    needed = None if features_needed is None else {*map(tuple, features_needed)}
    return _Validation(schema, view, severities, needed).result()


class _Validation:
    """One comparison of statistics with a schema."""

    def __init__(
        self,
        schema: schema_pb2.Schema,
        view: CheckedDataset,
        severities: Mapping[int, int],
        features_needed: Collection[PathSteps] | None,
    ) -> None:
        self._schema = schema
        self._view = view
        self._severities = severities
        self._features_needed = features_needed
        self._editor = SchemaEditor(schema, _MAX_STRING_DOMAIN_SIZE)
        self._findings: dict[PathSteps, list[Finding]] = {}
        self._measurements: list[anomalies_pb2.DriftSkewInfo] = []

    def result(self) -> anomalies_pb2.Anomalies:
        for root in self._view.roots():
            self._check(root)
        if self._severity([_MISSING_COLUMN]):
            for path in self._editor.missing_paths(self._view):
                self._findings[path] = [_MISSING_COLUMN]
        anomalies = anomalies_pb2.Anomalies(
            baseline=self._schema,
            anomaly_name_format=anomalies_pb2.Anomalies.SERIALIZED_PATH,
            drift_skew_info=sorted(self._measurements, key=lambda info: tuple(info.path.step)),
        )
        for path, findings in sorted(self._findings.items()):
            info = self._describe(findings)
            info.path.step.extend(path)
            anomalies.anomaly_info[path_to_text(path)].CopyFrom(info)
        if self._schema.HasField("dataset_constraints"):
            constraints = schema_pb2.DatasetConstraints()
            constraints.CopyFrom(self._schema.dataset_constraints)
            findings = check_dataset(constraints, self._view)
            if findings and self._severity(findings):
                anomalies.dataset_anomaly_info.CopyFrom(self._describe(findings))
        return anomalies

    def _check(self, view: CheckedFeature) -> None:
        path = view.path
        if not self._editor.has(path):
            if self._features_needed is None or path in self._features_needed:
                self._findings[path] = [NEW_COLUMN]
            return
        if self._editor.is_deprecated(path):
            return
        checked = self._editor.check(view, keep_fixes=False)
        if checked.measurements is not None:
            self._measurements.append(checked.measurements)
        if checked.findings and self._severity(checked.findings):
            self._findings[path] = checked.findings
            if checked.deprecated:
                return
        for child in view.children:
            self._check(child)

    def _severity(self, findings: Sequence[Finding]) -> int:
        """Return the greatest severity; 0, UNKNOWN, of what is not to be reported."""
        default = int(AnomalyType.ERROR)
        return max(self._severities.get(finding.type, default) for finding in findings)

    def _describe(self, findings: Sequence[Finding]) -> anomalies_pb2.AnomalyInfo:
        info = anomalies_pb2.AnomalyInfo(severity=self._severity(findings))
        for finding in findings:
            info.reason.add(
                type=finding.type, short_description=finding.short, description=finding.long
            )
        described = [finding for finding in findings if finding.long]
        info.description = " ".join(finding.long for finding in described)
        if len(described) > 1:
            info.short_description = MULTIPLE
        else:
            info.short_description = (described or findings)[-1].short
        return info
