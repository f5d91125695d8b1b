"""How tf.Examples of a schema are parsed: a feature spec for `tf.io.parse_example`."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from tensorflow_metadata.proto.v0 import schema_pb2


def feature_spec(schema: schema_pb2.Schema, *, without: Iterable[str] = ()) -> dict[str, Any]:
    """Return the parsing configuration of each feature.

    A feature with a shape is dense, any other is sparse, as TensorFlow Transform reads a schema.

    Args:
        schema: The examples' schema.
        without: Features to leave out, such as a label that is absent when the model serves.
    """
    from penstock.training.transform_graph import import_tensorflow_transform

    import_tensorflow_transform()
    from tensorflow_transform.tf_metadata import schema_utils

    spec: dict[str, Any] = schema_utils.schema_as_feature_spec(schema).feature_spec
    return {name: value for name, value in spec.items() if name not in set(without)}
