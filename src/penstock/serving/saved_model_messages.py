"""The messages of a SavedModel, as far as they describe its inputs and outputs.

The fields are those of tensorflow/core/protobuf/{saved_model,meta_graph}.proto and
tensorflow/core/framework/{graph,function,node_def,attr_value,tensor,tensor_shape}.proto; of its
variables, tensor_bundle.proto and trackable_object_graph.proto of tensorflow/core/protobuf. They
are in their own pool, so that TensorFlow, which registers the same names, can be imported beside
them.
"""

from __future__ import annotations

from functools import cache
from typing import Any

from google.protobuf import descriptor_pb2, descriptor_pool, message_factory
from google.protobuf.descriptor_pb2 import FieldDescriptorProto

# By message and field: the number, the type, and "*" where it is repeated. A map is its entries.
_FIELDS: dict[str, dict[str, tuple[int, str]]] = {
    "SavedModel": {"meta_graphs": (2, "MetaGraph*")},
    "MetaGraph": {
        "info": (1, "MetaInfo"),
        "graph": (2, "Graph"),
        "signatures": (5, "SignatureEntry*"),
        "assets": (6, "Asset*"),
    },
    "MetaInfo": {"tags": (4, "string*"), "tensorflow_version": (5, "string")},
    "Asset": {"filename": (2, "string")},
    "SignatureEntry": {"key": (1, "string"), "value": (2, "Signature")},
    "Signature": {
        "inputs": (1, "TensorInfoEntry*"),
        "outputs": (2, "TensorInfoEntry*"),
        "method_name": (3, "string"),
    },
    "TensorInfoEntry": {"key": (1, "string"), "value": (2, "TensorInfo")},
    "TensorInfo": {"name": (1, "string"), "dtype": (2, "int32"), "shape": (3, "Shape")},
    "Shape": {"dims": (2, "Dim*"), "unknown_rank": (3, "bool")},
    "Dim": {"size": (1, "int64")},
    "Graph": {"nodes": (1, "Node*"), "library": (2, "Library")},
    "Library": {"functions": (1, "Function*")},
    "Function": {"signature": (1, "FunctionName"), "nodes": (3, "Node*")},
    "FunctionName": {"name": (1, "string")},
    "Node": {
        "name": (1, "string"),
        "op": (2, "string"),
        "inputs": (3, "string*"),
        "attributes": (5, "AttributeEntry*"),
    },
    "AttributeEntry": {"key": (1, "string"), "value": (2, "Attribute")},
    "Attribute": {
        "list": (1, "AttributeList"),
        "integer": (3, "int64"),
        "tensor": (8, "Tensor"),
        "function": (10, "FunctionName"),
    },
    "AttributeList": {
        "texts": (2, "bytes*"),
        "types": (6, "int32*"),
        "shapes": (7, "Shape*"),
        "functions": (9, "FunctionName*"),
    },
    "Tensor": {"shape": (2, "Shape"), "texts": (8, "bytes*")},
    "BundleEntry": {
        "dtype": (1, "int32"),
        "shape": (2, "Shape"),
        "shard": (3, "int32"),
        "offset": (4, "int64"),
        "size": (5, "int64"),
    },
    "ObjectGraph": {"nodes": (1, "TrackedObject*")},
    "TrackedObject": {"attributes": (2, "TrackedAttribute*")},
    "TrackedAttribute": {"full_name": (2, "string"), "key": (3, "string")},
}
_SCALARS = {
    "bool": FieldDescriptorProto.TYPE_BOOL,
    "bytes": FieldDescriptorProto.TYPE_BYTES,
    "int32": FieldDescriptorProto.TYPE_INT32,
    "int64": FieldDescriptorProto.TYPE_INT64,
    "string": FieldDescriptorProto.TYPE_STRING,
}
_PACKAGE = "penstock.saved_model"


def parse_saved_model(data: bytes) -> Any:
    """Parse the content of a `saved_model.pb`.

    Raises:
        google.protobuf.message.DecodeError: If it is damaged or something else.
    """
    return message_class("SavedModel").FromString(data)


def message_class(name: str) -> Any:
    """Return the class of a message."""
    return message_factory.GetMessageClass(_pool().FindMessageTypeByName(f"{_PACKAGE}.{name}"))


@cache
def _pool() -> descriptor_pool.DescriptorPool:
    file = descriptor_pb2.FileDescriptorProto(
        name="penstock/saved_model.proto", package=_PACKAGE, syntax="proto2"
    )
    for message, fields in _FIELDS.items():
        described = file.message_type.add(name=message)
        for name, (number, kind) in fields.items():
            type_name = kind.rstrip("*")
            field = described.field.add(
                name=name,
                number=number,
                label=FieldDescriptorProto.LABEL_REPEATED
                if kind.endswith("*")
                else FieldDescriptorProto.LABEL_OPTIONAL,
            )
            if type_name in _SCALARS:
                field.type = _SCALARS[type_name]
            else:
                field.type = FieldDescriptorProto.TYPE_MESSAGE
                field.type_name = f".{_PACKAGE}.{type_name}"
    pool = descriptor_pool.DescriptorPool()
    pool.AddSerializedFile(file.SerializeToString())
    return pool
