"""Checking that a feature of a schema makes sense on its own, before looking at data."""

from tensorflow_metadata.proto.v0 import schema_pb2

from penstock.data_validation.anomalies.finding import AnomalyType, Finding

_DEPRECATED_STAGES = frozenset(
    {
        schema_pb2.PLANNED,
        schema_pb2.ALPHA,
        schema_pb2.DEPRECATED,
        schema_pb2.DEBUG_ONLY,
        schema_pb2.DISABLED,
    }
)
_INT, _FLOAT, _BYTES = schema_pb2.INT, schema_pb2.FLOAT, schema_pb2.BYTES
_TYPES_OF_DOMAIN = {
    "domain": {_BYTES},
    "bool_domain": {_INT, _BYTES, _FLOAT},
    "int_domain": {_INT, _BYTES},
    "float_domain": {_FLOAT, _BYTES},
    "string_domain": {_BYTES},
    "struct_domain": {schema_pb2.STRUCT},
    "natural_language_domain": {_BYTES, _INT},
    "image_domain": {_BYTES},
    "mid_domain": {_BYTES},
    "url_domain": {_BYTES},
    "time_domain": {_INT, _BYTES},
}
_NO_CONSTRAINTS = {
    "bool_domain": "not supported for bool domains.",
    "int_domain": "not supported for int domains.",
    "float_domain": "not supported for float domains.",
    "struct_domain": "not supported for struct domains.",
    None: "require domain or string domain.",
}


def is_deprecated(
    feature: schema_pb2.Feature | schema_pb2.SparseFeature | schema_pb2.WeightedFeature,
) -> bool:
    """Whether a feature is in a stage of its life in which data is not checked."""
    if not isinstance(feature, schema_pb2.WeightedFeature) and feature.deprecated:
        return True
    return feature.lifecycle_stage in _DEPRECATED_STAGES


def deprecate(
    feature: schema_pb2.Feature | schema_pb2.SparseFeature | schema_pb2.WeightedFeature,
) -> None:
    """Mark a feature as one that is no longer checked."""
    feature.lifecycle_stage = schema_pb2.DEPRECATED


def check_feature_itself(feature: schema_pb2.Feature, domain_exists: bool) -> list[Finding]:
    """Check and fix what is contradictory in a feature's specification.

    Args:
        feature: The feature.
        domain_exists: Whether the schema has the string domain that the feature names.
    """
    if is_deprecated(feature):
        return []
    if not feature.HasField("name"):
        deprecate(feature)
        short = (
            "unspecified name (maybe meant to be the empty string): find name rather than "
            "deprecating."
        )
        return [Finding(AnomalyType.FEATURE_MISSING_NAME, short)]
    findings = []
    if not feature.HasField("type"):
        domain = feature.WhichOneof("domain_info")
        if domain not in ("domain", "string_domain"):
            deprecate(feature)
            short = "unspecified type: determine the type and set it, rather than deprecating."
            return [Finding(AnomalyType.FEATURE_MISSING_TYPE, short)]
        short = "unspecified type: inferring the type to be BYTES, given the domain specified."
        findings.append(Finding(AnomalyType.FEATURE_MISSING_TYPE, short))
        feature.type = schema_pb2.BYTES
    return [*findings, *_check_limits(feature), *_check_domain(feature, domain_exists)]


def _invalid(short: str, long: str = "") -> Finding:
    return Finding(AnomalyType.INVALID_SCHEMA_SPECIFICATION, short, long)


def _check_limits(feature: schema_pb2.Feature) -> list[Finding]:
    findings = []
    presence, count = feature.presence, feature.value_count
    if feature.HasField("presence") and presence.min_fraction < 0.0:
        presence.ClearField("min_fraction")
        findings.append(_invalid("min_fraction should not be negative: clear is equal to zero"))
    if feature.HasField("presence") and presence.min_fraction > 1.0:
        presence.min_fraction = 1.0
        findings.append(_invalid("min_fraction should not greater than 1"))
    if feature.HasField("value_count"):
        if count.min < 0:
            count.ClearField("min")
            findings.append(_invalid("ValueCount.min should not be negative"))
        if count.HasField("max") and count.max < count.min:
            count.max = count.min
            findings.append(_invalid("ValueCount.max should not be less than min"))
    for level, nested in enumerate(feature.value_counts.value_count):
        if nested.min < 0:
            nested.ClearField("min")
            fault = "should not be negative"
            long = f"ValueCounts.min at level {level} {fault}."
            findings.append(_invalid(f"ValueCounts.min {fault}", long))
        if nested.HasField("max") and nested.max < nested.min:
            nested.max = nested.min
            fault = "should not be less than min"
            long = f"ValueCounts.max at level {level} {fault}."
            findings.append(_invalid(f"ValueCounts.max {fault}", long))
    if any(dim.size <= 0 for dim in feature.shape.dim):
        feature.ClearField("shape")
        findings.append(_invalid("Shape.dim.size must be a positive integer"))
    return findings


def _check_domain(feature: schema_pb2.Feature, domain_exists: bool) -> list[Finding]:
    findings = []
    domain = feature.WhichOneof("domain_info")
    if domain in _TYPES_OF_DOMAIN and feature.type not in _TYPES_OF_DOMAIN[domain]:
        type_name = schema_pb2.FeatureType.Name(feature.type)
        text = f'The domain "{domain}" does not match the type: {type_name}'
        short = "The domain does not match the type"
        findings.append(Finding(AnomalyType.DOMAIN_INVALID_FOR_TYPE, short, text))
        feature.ClearField(domain)
        domain = None
    if domain == "domain" and not domain_exists:
        short = f"missing domain: {feature.domain}"
        feature.ClearField("domain")
        findings.append(Finding(AnomalyType.INVALID_DOMAIN_SPECIFICATION, short))
    elif domain not in ("domain", "string_domain") and feature.HasField("distribution_constraints"):
        feature.ClearField("distribution_constraints")
        reason = _NO_CONSTRAINTS.get(domain, "not supported for semantic domains.")
        findings.append(_invalid(f"distribution constraints {reason}"))
    _remove_contradictions(feature, domain)
    return findings


def _remove_contradictions(feature: schema_pb2.Feature, domain: str | None) -> None:
    """Fix what the reference fixes without reporting it."""
    if domain == "bool_domain":
        values = feature.bool_domain
        both = values.HasField("true_value") and values.HasField("false_value")
        if both and values.true_value == values.false_value:
            values.ClearField("false_value")
    elif domain == "string_domain":
        distinct = list(dict.fromkeys(feature.string_domain.value))
        del feature.string_domain.value[:]
        feature.string_domain.value.extend(distinct)
