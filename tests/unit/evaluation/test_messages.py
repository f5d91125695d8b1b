import base64
import importlib.util
import subprocess
import sys

import pytest
from google.protobuf import descriptor_pb2

from penstock.evaluation.messages import PACKAGE, message_class, parse_proto

# Imports TFMA's generated modules alone: its package imports TensorFlow and Beam.
_DUMP = """
import base64, importlib, sys, types
import google.protobuf.wrappers_pb2
from importlib.machinery import PathFinder
folder = PathFinder.find_spec("tensorflow_model_analysis").submodule_search_locations[0]
for name, path in (("", folder), (".proto", folder + "/proto")):
    module = types.ModuleType("tensorflow_model_analysis" + name)
    module.__path__ = [path]
    sys.modules[module.__name__] = module
for name in ("config", "metrics_for_slice", "validation_result"):
    module = importlib.import_module(f"tensorflow_model_analysis.proto.{name}_pb2")
    print(base64.b64encode(module.DESCRIPTOR.serialized_pb).decode())
"""


@pytest.mark.skipif(
    importlib.util.find_spec("tensorflow_model_analysis") is None, reason="TFMA is not installed"
)
def test_every_message_is_that_of_tensorflow_model_analysis():
    lines = subprocess.run(
        [sys.executable, "-c", _DUMP], check=True, capture_output=True, text=True
    ).stdout.split()
    assert len(lines) == 3
    names = []
    for line in lines:
        theirs = descriptor_pb2.FileDescriptorProto.FromString(base64.b64decode(line))
        for message in theirs.message_type:
            ours = descriptor_pb2.DescriptorProto()
            message_class(message.name).DESCRIPTOR.CopyToProto(ours)
            assert _essence(ours) == _essence(message), message.name
            names.append(message.name)
    assert "EvalConfig" in names
    assert "ValidationResult" in names


def _essence(message: descriptor_pb2.DescriptorProto) -> dict:
    return {
        "fields": {
            field.name: (
                field.number,
                field.label,
                field.type,
                field.type_name,
                message.oneof_decl[field.oneof_index].name
                if field.HasField("oneof_index")
                else None,
            )
            for field in message.field
        },
        "enums": {e.name: {v.name: v.number for v in e.value} for e in message.enum_type},
        "nested": {
            nested.name: (nested.options.map_entry, _essence(nested))
            for nested in message.nested_type
        },
    }


def test_messages_carry_a_name_by_which_they_can_be_found_again():
    assert message_class("EvalConfig").__module__ == "penstock.evaluation.config"


def test_parse_proto_reads_maps_oneofs_and_repeated_fields():
    file = parse_proto(
        'syntax = "proto3"; package p; message M { // note\n'
        "map<string, int32> counts = 1; oneof kind { bool a = 2; N b = 3; } repeated N ns = 4; }"
        "message N { enum E { X = 0; } E e = 1; }",
        "p/m.proto",
    )
    first = file.message_type[0]
    assert [f.name for f in first.field] == ["counts", "a", "b", "ns"]
    assert first.nested_type[0].name == "CountsEntry"
    assert first.oneof_decl[0].name == "kind"
    assert file.message_type[1].enum_type[0].value[0].name == "X"


def test_parse_proto_names_what_it_does_not_understand():
    with pytest.raises(
        ValueError, match=r"m\.proto: a declaration was expected. Received: service"
    ):
        parse_proto('syntax = "proto3"; service S {}', "m.proto")


def test_the_package_is_that_of_tfma():
    assert message_class("EvalConfig").DESCRIPTOR.full_name == f"{PACKAGE}.EvalConfig"
