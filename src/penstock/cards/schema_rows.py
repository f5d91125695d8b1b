"""The rows of a page about a schema: for each feature, its constraints in words."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Any

from penstock.data_validation.path_steps import path_to_text
from penstock.data_validation.schema_features import all_features

if TYPE_CHECKING:
    from tensorflow_metadata.proto.v0 import schema_pb2

_DISTANCES = {
    "infinity_norm": "L-infinity",
    "jensen_shannon_divergence": "Jensen-Shannon",
    "normalized_abs_difference": "normalized difference",
}


@dataclasses.dataclass(frozen=True)
class SchemaRow:
    """One feature of a schema.

    Args:
        name: Its path as text.
        type: INT, FLOAT, STRING (bytes with a domain of strings), BYTES or STRUCT.
        presence: "required", "optional", or at least which share of rows has it.
        values: How many values each row has.
        domain: What the values may be, in words.
        listed: The values it may have, if they are listed.
        notes: Stage of life, environments, drift and skew limits.
    """

    name: str
    type: str
    presence: str
    values: str
    domain: str
    listed: list[str]
    notes: list[str]


def schema_rows(schema: schema_pb2.Schema) -> list[SchemaRow]:
    """Return what the schema expects of each feature, those inside of structs after their parent."""
    shared = {domain.name: list(domain.value) for domain in schema.string_domain}
    return [_row(path_to_text(path), feature, shared) for path, feature in all_features(schema)]


def _row(name: str, feature: Any, shared: dict[str, list[str]]) -> SchemaRow:
    from tensorflow_metadata.proto.v0 import schema_pb2

    kind = feature.WhichOneof("domain_info")
    listed: list[str] = []
    domain = ""
    if kind == "domain":
        listed = shared.get(feature.domain, [])
        domain = feature.domain if feature.domain != name else ""
    elif kind == "string_domain":
        listed = list(feature.string_domain.value)
    elif kind == "bool_domain":
        words = feature.bool_domain
        listed = [w for w in (words.true_value, words.false_value) if w] or ["0", "1"]
        domain = "boolean"
    elif kind in ("int_domain", "float_domain"):
        domain = _bounds(
            getattr(feature, kind), "numbers" if kind == "float_domain" else "integers"
        )
    elif kind:
        domain = kind.removesuffix("_domain").replace("_", " ")
    type_name = schema_pb2.FeatureType.Name(feature.type)
    if type_name == "BYTES" and kind in ("domain", "string_domain"):
        type_name = "STRING"
    return SchemaRow(
        name, type_name, _presence(feature), _values(feature), domain, listed, _notes(feature)
    )


def _bounds(domain: Any, what: str) -> str:
    low = f"{domain.min:g}" if domain.HasField("min") else None
    high = f"{domain.max:g}" if domain.HasField("max") else None
    if low and high:
        return f"{low} to {high}"
    if low or high:
        return f"{low} or more" if low else f"{high} or less"
    return what


def _presence(feature: Any) -> str:
    presence = feature.presence
    if presence.min_fraction == 1.0:
        return "optional" if _may_be_empty(feature) else "required"
    if presence.min_fraction > 0:
        return f"in {presence.min_fraction:.4g} of rows"
    return f"in {presence.min_count} rows" if presence.min_count > 1 else "optional"


def _may_be_empty(feature: Any) -> bool:
    """Whether a row that has the feature may have no value of it."""
    if feature.HasField("value_count"):
        return bool(feature.value_count.min == 0)
    return any(dim.size == 0 for dim in feature.shape.dim)


def _values(feature: Any) -> str:
    if feature.HasField("shape"):
        return "shape " + (" x ".join(str(dim.size) for dim in feature.shape.dim) or "scalar")
    counts = [feature.value_count] if feature.HasField("value_count") else []
    counts = counts or list(feature.value_counts.value_count)
    texts = []
    for count in counts:
        if count.HasField("max"):
            same = count.min == count.max
            texts.append(str(count.min) if same else f"{count.min} to {count.max}")
        else:
            texts.append(f"{count.min} or more")
    return ", in each ".join(texts)


def _notes(feature: Any) -> list[str]:
    from tensorflow_metadata.proto.v0 import schema_pb2

    notes = []
    if feature.lifecycle_stage:
        notes.append(schema_pb2.LifecycleStage.Name(feature.lifecycle_stage).lower())
    notes += [f"only in {name}" for name in feature.in_environment]
    notes += [f"not in {name}" for name in feature.not_in_environment]
    for side in ("drift", "skew"):
        comparator = getattr(feature, f"{side}_comparator")
        for field, label in _DISTANCES.items():
            limit = getattr(comparator, field)
            if limit.HasField("threshold"):
                notes.append(f"{side}: {label} up to {limit.threshold:g}")
    if feature.distribution_constraints.HasField("min_domain_mass"):
        notes.append(
            f"{feature.distribution_constraints.min_domain_mass:.4g} of values in the domain"
        )
    return notes
