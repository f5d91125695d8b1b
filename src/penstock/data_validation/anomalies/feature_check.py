"""All checks of one feature, in order; the schema's feature is fixed on the way."""

from typing import NamedTuple

from tensorflow_metadata.proto.v0 import anomalies_pb2, schema_pb2, statistics_pb2

from penstock.data_validation.anomalies.checked_statistics import CheckedFeature
from penstock.data_validation.anomalies.comparators import check_comparator
from penstock.data_validation.anomalies.finding import AnomalyType, Finding
from penstock.data_validation.anomalies.numeric_domains import check_float_domain, check_int_domain
from penstock.data_validation.anomalies.presence_checks import (
    check_presence,
    check_shape,
    check_uniqueness,
    check_value_counts,
)
from penstock.data_validation.anomalies.self_consistency import (
    check_feature_itself,
    deprecate,
    is_deprecated,
)
from penstock.data_validation.anomalies.semantic_domains import (
    adopt_suggested_domain,
    check_image_domain,
    check_natural_language_domain,
)
from penstock.data_validation.anomalies.string_domains import (
    check_bool_domain,
    check_string_domain,
)

_Stats = statistics_pb2.FeatureNameStatistics
_DOMAINS_OF_BYTES = (None, "natural_language_domain", "image_domain", "url_domain")


class FeatureCheck(NamedTuple):
    """The outcome of checking one feature.

    Args:
        findings: What is wrong, in the order of the checks.
        drop_shared_domain: Whether the schema's string domain that it names is to be removed.
        measurements: The distances to other statistics, if any were measured.
        deprecated: Whether the fix is to no longer check the feature, nor what is inside of it.
    """

    findings: list[Finding]
    drop_shared_domain: bool = False
    measurements: anomalies_pb2.DriftSkewInfo | None = None
    deprecated: bool = False


def is_in_environment(
    feature: schema_pb2.Feature, schema: schema_pb2.Schema, environment: str | None
) -> bool:
    """Whether a feature is expected in an environment; without one it is."""
    if environment is None or environment in feature.in_environment:
        return True
    if environment in feature.not_in_environment:
        return False
    return environment in schema.default_environment


def is_required(
    feature: schema_pb2.Feature, schema: schema_pb2.Schema, environment: str | None
) -> bool:
    """Whether some row of data of an environment must have a feature."""
    if is_deprecated(feature):
        return False
    if feature.presence.min_count <= 0 and feature.presence.min_fraction <= 0.0:
        return False
    return is_in_environment(feature, schema, environment)


def check_feature(
    feature: schema_pb2.Feature,
    shared_domain: schema_pb2.StringDomain | None,
    schema: schema_pb2.Schema,
    view: CheckedFeature,
) -> FeatureCheck:
    """Check one feature against its statistics.

    Args:
        feature: The feature; it is changed to what would accept the data.
        shared_domain: The schema's string domain that the feature names; likewise.
        schema: The schema, for its environments; it is not changed.
        view: The statistics.
    """
    findings = check_feature_itself(feature, shared_domain is not None)
    if is_deprecated(feature):
        return FeatureCheck(findings)
    if holds_lists(feature):
        view = view.as_lists()
    environment = view.dataset.environment
    if not view.num_present:
        if is_required(feature, schema, environment):
            text = "The feature was not present in any examples."
            kind = AnomalyType.FEATURE_TYPE_NOT_PRESENT
            findings.append(Finding(kind, "Column dropped", text))
            deprecate(feature)
        return FeatureCheck(findings)
    findings += _check_environment(feature, schema, view)
    findings += check_value_counts(feature, view)
    findings += check_shape(feature, view)
    if feature.HasField("presence"):
        findings += check_presence(feature.presence, view)
    findings += _check_type(feature, view)
    in_domain, drop = _check_domain(feature, shared_domain, view)
    findings += in_domain
    if feature.HasField("unique_constraints"):
        findings += check_uniqueness(feature, view)
    drift, drift_measurements = check_comparator(feature, view, "drift")
    skew, skew_measurements = check_comparator(feature, view, "skew")
    findings += [*drift, *skew, *_check_derivation(feature, view)]
    if not drift_measurements and not skew_measurements:
        return FeatureCheck(findings, drop)
    measurements = anomalies_pb2.DriftSkewInfo(
        drift_measurements=drift_measurements, skew_measurements=skew_measurements
    )
    measurements.path.step.extend(view.path)
    return FeatureCheck(findings, drop, measurements)


def holds_lists(feature: schema_pb2.Feature) -> bool:
    """Whether a schema lets a row have several values: lists may then be empty, too."""
    if feature.HasField("value_count"):
        return bool(not feature.value_count.HasField("max") or feature.value_count.max > 1)
    return bool(feature.HasField("value_counts"))


def _check_environment(
    feature: schema_pb2.Feature, schema: schema_pb2.Schema, view: CheckedFeature
) -> list[Finding]:
    environment = view.dataset.environment
    if environment is None or is_in_environment(feature, schema, environment):
        return []
    kept = [name for name in feature.not_in_environment if name != environment]
    del feature.not_in_environment[:]
    feature.not_in_environment.extend(kept)
    if not is_in_environment(feature, schema, environment):
        feature.in_environment.append(environment)
    text = (
        f"New column {view.name} found in data but not in the environment {environment} in the "
        f"schema."
    )
    return [Finding(AnomalyType.SCHEMA_NEW_COLUMN, "Column missing in environment", text)]


def _check_type(feature: schema_pb2.Feature, view: CheckedFeature) -> list[Finding]:
    if view.schema_type == feature.type:
        return []
    deprecate(feature)
    expected = schema_pb2.FeatureType.Name(feature.type)
    actual = _Stats.Type.Name(view.proto.type)
    text = f"Expected data of type: {expected} but got {actual}"
    return [Finding(AnomalyType.UNEXPECTED_DATA_TYPE, "Unexpected data type", text)]


def _check_domain(
    feature: schema_pb2.Feature,
    shared_domain: schema_pb2.StringDomain | None,
    view: CheckedFeature,
) -> tuple[list[Finding], bool]:
    """Check the values; return findings and whether to drop the shared domain."""
    findings: list[Finding] = []
    kind = feature.WhichOneof("domain_info")
    if view.stats_type == _Stats.BYTES and kind not in _DOMAINS_OF_BYTES:
        feature.ClearField(kind)
        kind = None
        specified = _in_ascii(str(feature))
        text = f"Data is marked as BYTES with incompatible domain_info: {specified}"
        short = "Invalid domain type"
        findings.append(Finding(AnomalyType.DOMAIN_INVALID_FOR_TYPE, short, text))
    constraints = feature.distribution_constraints
    bounded = feature.HasField("distribution_constraints") and constraints.HasField(
        "min_domain_mass"
    )
    max_off_domain = 1.0 - constraints.min_domain_mass if bounded else 0.0
    if kind == "domain":
        assert shared_domain is not None
        found, drop = check_string_domain(shared_domain, view, max_off_domain)
        return [*findings, *found], drop
    drop = False
    if kind == "string_domain":
        found, drop = check_string_domain(feature.string_domain, view, max_off_domain)
    elif kind == "int_domain":
        found, drop = check_int_domain(feature.int_domain, view)
    elif kind == "float_domain":
        found, drop = check_float_domain(feature.float_domain, view)
    elif kind == "bool_domain":
        found = check_bool_domain(feature, view)
    elif kind == "image_domain":
        found = check_image_domain(feature, view)
    elif kind == "natural_language_domain":
        found = check_natural_language_domain(feature, view)
    elif kind is None and adopt_suggested_domain(feature, view):
        text = f"Updated semantic domain for feature: {feature.name}"
        found = [Finding(AnomalyType.SEMANTIC_DOMAIN_UPDATE, "Updated semantic domain", text)]
    else:
        found = []
    if drop and kind is not None:
        feature.ClearField(kind)
    return [*findings, *found], False


def _in_ascii(text: str) -> str:
    """Escapes what is not ASCII, as text protos of C++ do."""
    return "".join(
        char if char.isascii() else "".join(f"\\{byte:03o}" for byte in char.encode())
        for char in text
    )


def _check_derivation(feature: schema_pb2.Feature, view: CheckedFeature) -> list[Finding]:
    findings = []
    if view.proto.HasField("validation_derived_source") and not feature.HasField(
        "validation_derived_source"
    ):
        feature.lifecycle_stage = schema_pb2.VALIDATION_DERIVED
        feature.validation_derived_source.CopyFrom(view.proto.validation_derived_source)
        short = "Derived source not set in schema."
        findings.append(Finding(AnomalyType.DERIVED_FEATURE_INVALID_SOURCE, short, short))
    elif (
        feature.HasField("validation_derived_source")
        and feature.lifecycle_stage != schema_pb2.VALIDATION_DERIVED
        and not is_deprecated(feature)
    ):
        feature.lifecycle_stage = schema_pb2.VALIDATION_DERIVED
        short = "Derived feature has wrong lifecycle."
        findings.append(Finding(AnomalyType.DERIVED_FEATURE_BAD_LIFECYCLE, short, short))
    return findings
