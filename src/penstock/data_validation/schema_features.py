"""What a schema says about the kinds of its features."""

from collections.abc import Iterator
from typing import Any

from tensorflow_metadata.proto.v0 import schema_pb2

from penstock.data_validation.path_steps import PathSteps


def all_features(
    schema: schema_pb2.Schema,
) -> Iterator[tuple[PathSteps, schema_pb2.Feature]]:
    """Yield every feature with its path, those inside of structs after their parent."""

    def visit(container: Any, prefix: PathSteps) -> Iterator[tuple[PathSteps, Any]]:
        for feature in container.feature:
            path = (*prefix, feature.name)
            yield path, feature
            if feature.type == schema_pb2.STRUCT:
                yield from visit(feature.struct_domain, path)

    yield from visit(schema, ())


class FeatureKinds:
    """Which features a schema claims to be bytes, categorical numbers or free text."""

    def __init__(self, schema: schema_pb2.Schema | None) -> None:
        self.bytes: set[PathSteps] = set()
        self.categorical_integers: set[PathSteps] = set()
        self.categorical_floats: set[PathSteps] = set()
        self.not_categorical: set[PathSteps] = set()
        if schema is None:
            return
        shared = {domain.name: domain.is_categorical for domain in schema.string_domain}
        for path, feature in all_features(schema):
            domain = feature.WhichOneof("domain_info")
            if domain == "image_domain":
                self.bytes.add(path)
            if feature.type == schema_pb2.INT and (
                domain in ("bool_domain", "natural_language_domain")
                or (domain == "int_domain" and feature.int_domain.is_categorical)
            ):
                self.categorical_integers.add(path)
            if feature.type == schema_pb2.FLOAT and feature.float_domain.is_categorical:
                self.categorical_floats.add(path)
            categorical = schema_pb2.StringDomain.CATEGORICAL_UNSPECIFIED
            if domain == "string_domain":
                categorical = feature.string_domain.is_categorical
            elif domain == "domain":
                categorical = shared.get(feature.domain, categorical)
            if categorical == schema_pb2.StringDomain.CATEGORICAL_NO:
                self.not_categorical.add(path)
