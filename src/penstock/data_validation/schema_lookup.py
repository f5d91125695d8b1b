"""Finding and changing features and domains of a schema."""

from typing import Any

from tensorflow_metadata.proto.v0 import schema_pb2

from penstock.data_validation.feature_path import FeaturePath

_DOMAIN_FIELDS = {
    schema_pb2.IntDomain: "int_domain",
    schema_pb2.FloatDomain: "float_domain",
    schema_pb2.StringDomain: "string_domain",
    schema_pb2.BoolDomain: "bool_domain",
    schema_pb2.StructDomain: "struct_domain",
    schema_pb2.NaturalLanguageDomain: "natural_language_domain",
    schema_pb2.ImageDomain: "image_domain",
    schema_pb2.MIDDomain: "mid_domain",
    schema_pb2.URLDomain: "url_domain",
    schema_pb2.TimeDomain: "time_domain",
    schema_pb2.TimeOfDayDomain: "time_of_day_domain",
}


def get_feature(schema: schema_pb2.Schema, feature_path: FeaturePath | str) -> Any:
    """Returns a feature of a schema; changing it changes the schema.

    Args:
        schema: The schema.
        feature_path: A name, or the steps to a feature inside of structs.

    Raises:
        ValueError: If there is no such feature.
    """
    steps = (feature_path,) if isinstance(feature_path, str) else tuple(feature_path)
    container: Any = schema
    feature = None
    for step in steps:
        if feature is not None:
            container = feature.struct_domain
        feature = next((f for f in container.feature if f.name == step), None)
        if feature is None:
            raise ValueError(
                f"Feature {'.'.join(steps)!r} is not in the schema. "
                f"Features: {[f.name for f in container.feature]}"
            )
    return feature


def get_domain(schema: schema_pb2.Schema, feature_path: FeaturePath | str) -> Any:
    """Returns the domain of a feature, looked up in the schema's shared ones if need be.

    Raises:
        ValueError: If the feature has no domain.
    """
    feature = get_feature(schema, feature_path)
    field = feature.WhichOneof("domain_info")
    if field == "domain":
        for domain in schema.string_domain:
            if domain.name == feature.domain:
                return domain
        raise ValueError(f"The schema has no string_domain {feature.domain!r}.")
    if field is None:
        raise ValueError(f"Feature {feature.name!r} has no domain.")
    return getattr(feature, field)


def set_domain(schema: schema_pb2.Schema, feature_path: FeaturePath | str, domain: Any) -> None:
    """Sets the domain of a feature.

    Args:
        schema: The schema that is changed.
        feature_path: Which feature.
        domain: A domain proto, or the name of one of the schema's string domains.

    Raises:
        TypeError: If `domain` is neither.
        ValueError: If there is no such feature or string domain.
    """
    feature = get_feature(schema, feature_path)
    if isinstance(domain, str):
        names = [shared.name for shared in schema.string_domain]
        if domain not in names:
            raise ValueError(f"The schema has no string_domain {domain!r}. It has: {names}")
        feature.domain = domain
        return
    field = _DOMAIN_FIELDS.get(type(domain))
    if field is None:
        raise TypeError(
            f"domain must be a domain proto or a name. Received: {type(domain).__name__}"
        )
    getattr(feature, field).CopyFrom(domain)
