import subprocess
import sys

import pytest
from tensorflow_metadata.proto.v0 import schema_pb2

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
