"""Finding and changing features and domains of a schema."""

from collections.abc import Iterable
from typing import Any

from tensorflow_metadata.proto.v0 import schema_pb2

from penstock.data_validation.schema_inference import check_schema

_DOMAIN_FIELDS = {
    getattr(schema_pb2, field.message_type.name): field.name
    for field in schema_pb2.Feature.DESCRIPTOR.oneofs_by_name["domain_info"].fields
    if field.message_type is not None
}


def get_feature(schema: schema_pb2.Schema, feature_path: str | Iterable[str]) -> Any:
    """Return a feature of a schema; changing it changes the schema.

    Args:
        schema: The schema.
        feature_path: A name, or the steps to a feature inside of structs.

    Raises:
        TypeError: If `schema` is no Schema.
        ValueError: If there is no such feature.
    """
    check_schema(schema)
    steps = (feature_path,) if isinstance(feature_path, str) else tuple(feature_path)
    path = ".".join(steps)
    container: Any = schema
    feature = None
    for step in steps:
        if feature is not None:
            if feature.type != schema_pb2.STRUCT:
                raise ValueError(
                    f"Step {feature.name} in feature {path} does not refer to a valid STRUCT feature."
                )
            container = feature.struct_domain
        feature = next((f for f in container.feature if f.name == step), None)
        if feature is None:
            names = [f.name for f in container.feature]
            raise ValueError(f"Feature {path} not found in the schema. Features: {names}")
    return feature


def get_domain(schema: schema_pb2.Schema, feature_path: str | Iterable[str]) -> Any:
    """Return the domain of a feature, possibly one of the schema's shared domains.

    Args:
        schema: The schema.
        feature_path: A name, or the steps to a feature inside of structs.

    Raises:
        TypeError: If `schema` is no Schema.
        ValueError: If there is no such feature, or it has no domain.
    """
    feature = get_feature(schema, feature_path)
    field = feature.WhichOneof("domain_info")
    if field is None:
        raise ValueError(f"Feature {feature.name} has no domain associated with it.")
    if field != "domain":
        return getattr(feature, field)
    for domain in schema.string_domain:
        if domain.name == feature.domain:
            return domain
    raise ValueError(
        f"Feature {feature.name} has the domain {feature.domain!r}, which the schema lacks. "
        f"String domains: {[domain.name for domain in schema.string_domain]}"
    )


def set_domain(schema: schema_pb2.Schema, feature_path: str | Iterable[str], domain: Any) -> None:
    """Set the domain of a feature.

    Args:
        schema: The schema that is changed.
        feature_path: A name, or the steps to a feature inside of structs.
        domain: A domain proto, or the name of one of the schema's string domains.

    Raises:
        TypeError: If `schema` is no Schema, `domain` is neither, or the feature is a struct.
        ValueError: If there is no such feature or string domain.

    Example:
        >>> set_domain(schema, "fare", schema_pb2.FloatDomain(min=0))
    """
    check_schema(schema)
    field = "domain" if isinstance(domain, str) else _DOMAIN_FIELDS.get(type(domain))
    if field is None:
        raise TypeError(
            f"domain is of type {type(domain).__name__}, should be a domain proto or the name of a "
            "string domain."
        )
    feature = get_feature(schema, feature_path)
    if feature.type == schema_pb2.STRUCT:
        raise TypeError(
            f"Could not set the domain of a STRUCT feature {feature.name}: set the domains of "
            "the features inside it."
        )
    if field != "domain":
        getattr(feature, field).CopyFrom(domain)
        return
    names = [shared.name for shared in schema.string_domain]
    if domain not in names:
        raise ValueError(f"Invalid global string domain {domain!r}. The schema has: {names}")
    feature.domain = domain


def generate_dummy_schema_with_paths(paths: Iterable[Iterable[str]]) -> schema_pb2.Schema:
    """Return a schema that has features at some paths, with no other information about them.

    Args:
        paths: The steps to each feature.

    Example:
        >>> schema = generate_dummy_schema_with_paths([("a",), ("b", "c")])
        >>> [feature.name for feature in schema.feature]
        ['a', 'b']
    """
    schema = schema_pb2.Schema()
    for path in paths:
        container: Any = schema
        for step in path:
            feature = next((f for f in container.feature if f.name == step), None)
            if feature is None:
                feature = container.feature.add(name=step)
            container = feature.struct_domain
    return schema
