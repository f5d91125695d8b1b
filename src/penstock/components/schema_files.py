"""Reading the file of a Schema artifact."""

from __future__ import annotations

from typing import TYPE_CHECKING

from penstock.artifacts import Schema

if TYPE_CHECKING:
    from tensorflow_metadata.proto.v0 import schema_pb2


def read_schema(schema: Schema) -> schema_pb2.Schema:
    """Returns the schema of an artifact."""
    from google.protobuf import text_format
    from tensorflow_metadata.proto.v0 import schema_pb2

    with open(f"{schema.uri}/schema.pbtxt", encoding="utf-8") as file:
        return text_format.Parse(file.read(), schema_pb2.Schema())
