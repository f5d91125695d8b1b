import json
import subprocess
import sys

import pytest
from google.protobuf import text_format
from tensorflow_metadata.proto.v0 import schema_pb2
from tfx_bsl.public.proto import slicing_spec_pb2

from penstock.data_validation import StatsOptions


def test_json_round_trip():
    schema = schema_pb2.Schema()
    schema.feature.add(name="x", type=schema_pb2.INT)
    options = StatsOptions(schema=schema, num_top_values=3, feature_allowlist=["x"])
    again = StatsOptions.from_json(options.to_json())
    assert again == options
    assert again != StatsOptions()
    assert "num_top_values=3" in repr(options)


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"num_top_values": 0}, "num_top_values must be 1 or more"),
        ({"num_values_histogram_buckets": 1}, "must be 2 or more"),
        ({"sample_rate": 1.5}, r"sample_rate must be in \(0, 1\]"),
        ({"epsilon": 0}, "epsilon must be in"),
        ({"infer_type_from_schema": True}, "needs a schema"),
    ],
)
def test_bad_values_are_refused(given, message):
    with pytest.raises(ValueError, match=message):
        StatsOptions(**given)


def test_code_has_no_json_form():
    with pytest.raises(ValueError, match="experimental_slice_functions"):
        StatsOptions(experimental_slice_functions=[lambda batch: []]).to_json()


def test_importing_the_rooms_is_light():
    code = (
        "import sys, penstock.io, penstock.data_validation\n"
        "from penstock.data_validation import StatsOptions\n"
        "from penstock.io import Input, Output, RangeConfig\n"
        "heavy = {'numpy', 'pyarrow', 'tfx_bsl', 'tensorflow', 'apache_beam', 'pandas'}\n"
        "print(sorted(heavy & set(sys.modules)))"
    )
    result = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    )
    assert result.stdout.strip() == "[]"


def test_statistics_import_neither_tensorflow_nor_beam_nor_pandas():
    code = (
        "import sys\n"
        "from penstock.data_validation import *\n"
        "from penstock.io import *\n"
        "import pyarrow as pa\n"
        "column = pa.Array.from_buffers(pa.int64(), 1, [None, pa.py_buffer(bytes(8))])\n"
        "batch = pa.RecordBatch.from_arrays([column], ['x'])\n"
        "serialize_examples(batch)\n"
        "validate_statistics(s := statistics_of_record_batches([batch]), infer_schema(s))\n"
        "heavy = {'tensorflow', 'apache_beam', 'pandas'}\n"
        "print(sorted(heavy & set(sys.modules)))"
    )
    result = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    )
    assert result.stdout.strip() == "[]"


def test_tfdvs_own_json_is_read():
    tfdv = {
        "TYPE_NAME": "StatsOptions",
        "_generators": None,
        "_slice_functions": None,
        "_feature_allowlist": ["a"],
        "weight_feature": "w",
        "_num_histogram_buckets": 7,
        "_use_sketch_based_topk_uniques": False,
        "_per_feature_stats_config": None,
        "slicing_config_json": '{"slicingSpecs": [{"featureValues": {"b": "x"}}]}',
        "per_feature_weight_override_json": {'["s", "a"]': "v"},
    }
    options = StatsOptions.from_json(json.dumps(tfdv))
    assert options == StatsOptions(
        feature_allowlist=["a"],
        weight_feature="w",
        num_histogram_buckets=7,
        slicing_config=[{"b": ["x"]}],
        per_feature_weight_override={("s", "a"): "v"},
    )
    assert StatsOptions.from_json(options.to_json()) == options
    with pytest.raises(ValueError, match="TYPE_NAME='Other'"):
        StatsOptions.from_json('{"TYPE_NAME": "Other"}')
    with pytest.raises(ValueError, match="takes no argument 'unknown'"):
        StatsOptions.from_json('{"unknown": 1}')


def test_a_slicing_config_message_is_taken():
    config = text_format.Parse(
        """slicing_specs { feature_keys: "a" feature_values { key: "b" value: "x" } }
        slicing_specs {}""",
        slicing_spec_pb2.SlicingConfig(),
    )
    assert StatsOptions(slicing_config=config).slicing_config == [{"a": None, "b": ["x"]}]
    config.slicing_specs.add(slice_keys_sql="SELECT 1")
    with pytest.raises(ValueError, match="slice_keys_sql='SELECT 1'"):
        StatsOptions(slicing_config=config)


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        ({"feature_allowlist": "a"}, TypeError, "feature_allowlist must be a list"),
        ({"generators": 1}, TypeError, "generators must be a list"),
        ({"slicing_config": {"a": None}}, TypeError, "slicing_config must be a SlicingConfig"),
        ({"feature_allowlist": [("s", "a")]}, ValueError, "takes top-level features"),
        ({"semantic_domain_stats_sample_rate": 0.0}, ValueError, r"must be in \(0, 1\]"),
        ({"experimental_result_partitions": 0}, ValueError, "must be 1 or more"),
        (
            {"slice_functions": [], "experimental_slice_functions": []},
            ValueError,
            "only one of slice_functions and experimental_slice_functions",
        ),
        (
            {"slicing_config": [{"a": None}], "slice_functions": [print]},
            ValueError,
            "only one of slicing_config and experimental_slice_functions",
        ),
    ],
)
def test_options_are_checked(arguments, error, message):
    with pytest.raises(error, match=message):
        StatsOptions(**arguments)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"generators": [{}]}, "CombinerFeatureStatsGenerator objects. Received: {}"),
        ({"slice_functions": [1]}, "must be callable. Received: 1"),
        ({"experimental_slice_functions": [1]}, "must be callable. Received: 1"),
        ({"schema": {}}, "must be a Schema message. Received: schema={}"),
        ({"vocab_paths": ["a"]}, r"vocabularies to files. Received: vocab_paths=\['a'\]"),
    ],
)
def test_what_is_something_else_is_named(options, message):
    with pytest.raises(TypeError, match=message):
        StatsOptions(**options)
