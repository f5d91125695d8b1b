"""TensorProtos as NumPy arrays: every type against TensorFlow's own conversion."""

import numpy as np
import pytest

pytestmark = pytest.mark.tensorflow

tf = pytest.importorskip("tensorflow")

from penstock.server.grpc_api.tensors import (  # noqa: E402
    DTYPE_NUMBERS,
    TensorError,
    array_of_tensor,
    numpy_dtype,
    tensor_of_array,
)

MOST = 1 << 20


def _values(name: str, shape: tuple[int, ...]) -> np.ndarray:
    count = int(np.prod(shape))
    if name == "string":
        array = np.empty(count, object)
        array[:] = [f"wörd {i}\0".encode() for i in range(count)]
        return array.reshape(shape)
    values = np.arange(count) % 100 - (0 if name.startswith(("u", "b")) else 50)
    if name == "bool":
        values = values % 2
    if name.startswith("complex"):
        values = values + 0.5j
    return values.astype(numpy_dtype(name)).reshape(shape)


@pytest.mark.parametrize("name", sorted(DTYPE_NUMBERS))
@pytest.mark.parametrize("shape", [(), (0,), (3, 0), (1,), (2, 3), (300,)])
def test_every_type_agrees_with_tensorflow_in_both_directions(name, shape):
    array = _values(name, shape)
    theirs = tf.make_tensor_proto(array, dtype=tf.dtypes.as_dtype(name), shape=shape)

    read = array_of_tensor("x", theirs, most_bytes=MOST)
    written = tensor_of_array(array)

    for ours in (read, tf.make_ndarray(written), array_of_tensor("x", written, most_bytes=MOST)):
        assert ours.dtype == array.dtype
        assert ours.shape == shape
        assert ours.tolist() == array.tolist()
    assert written.dtype == DTYPE_NUMBERS[name]
    assert not written.tensor_content


def test_typed_fields_are_those_that_clients_of_tensorflow_serving_read():
    assert list(tensor_of_array(np.array([1.5, -2], np.float32)).float_val) == [1.5, -2]
    assert list(tensor_of_array(np.array([1.5])).double_val) == [1.5]
    assert list(tensor_of_array(np.array([True, False])).bool_val) == [True, False]
    assert list(tensor_of_array(np.array([1 + 2j])).dcomplex_val) == [1, 2]
    assert list(tensor_of_array(np.array([-7])).int64_val) == [-7]
    assert list(tensor_of_array(np.array(["ö"], object)).string_val) == ["ö".encode()]
    transposed = np.arange(6, dtype=np.float32).reshape(2, 3).T
    assert list(tensor_of_array(transposed).float_val) == transposed.ravel().tolist()


def test_content_is_not_copied():
    tensor = tf.make_tensor_proto(np.arange(1000, dtype=np.float32))

    read = array_of_tensor("x", tensor, most_bytes=MOST)

    assert not read.flags.owndata
    assert not read.flags.writeable


def _proto(dtype, sizes, **fields):
    from tensorflow.core.framework import tensor_pb2

    tensor = tensor_pb2.TensorProto(dtype=dtype, **fields)
    for size in sizes:
        tensor.tensor_shape.dim.add(size=size)
    return tensor


def test_fewer_values_than_the_shape_are_filled_up_as_in_tensorflow():
    read = array_of_tensor("x", _proto(1, [2, 2], float_val=[1, 2]), most_bytes=MOST)
    assert read.tolist() == [[1, 2], [2, 2]]
    read = array_of_tensor("x", _proto(1, [2]), most_bytes=MOST)
    assert read.tolist() == [0, 0]
    read = array_of_tensor("x", _proto(7, [2], string_val=[b"a"]), most_bytes=MOST)
    assert read.tolist() == [b"a", b"a"]


def test_strings_packed_by_cpp_clients_are_read():
    content = b"\x01\x00\x02" + b"a" + b"bc"
    read = array_of_tensor("x", _proto(7, [3], tensor_content=content), most_bytes=MOST)
    assert read.tolist() == [b"a", b"", b"bc"]


@pytest.mark.parametrize(
    ("tensor", "message"),
    [
        (lambda: _proto(20, [1]), "'x' has the data type number 20, which is not served"),
        (lambda: _proto(0, [1]), "data type number 0"),
        (lambda: _proto(1, [-1]), "no full shape"),
        (
            lambda: _proto(1, [1 << 40, 1 << 40], float_val=[1]),
            "is too large",
        ),
        (lambda: _proto(1, [0, 1 << 62]), "which is too large"),
        (lambda: _proto(1, [1 << 30], float_val=[1]), "takes 4,294,967,296 bytes"),
        (lambda: _proto(7, [1 << 40], string_val=[b"a"]), "at most 1,048,576 are served"),
        (lambda: _proto(1, [1] * 33, float_val=[1]), "33 dimensions"),
        (
            lambda: _proto(1, [2], tensor_content=b"123"),
            "needs 8 bytes of tensor_content. Received: 3",
        ),
        (lambda: _proto(1, [1], float_val=[1, 2]), r"has 2 values, more than its shape \[1\]"),
        (lambda: _proto(7, [1], string_val=[b"a", b"b"]), "has 2 values"),
        (lambda: _proto(4, [1], int_val=[256]), "beyond 0 to 255"),
        (lambda: _proto(19, [1], half_val=[-1]), "beyond 0 to 65535"),
        (lambda: _proto(8, [1], scomplex_val=[1]), "pairs"),
        (lambda: _proto(7, [2], tensor_content=b"\x80"), "ends too early"),
        (
            lambda: _proto(7, [2], tensor_content=b"\xff\xff\xff\xff\xff\xff\xff\xff"),
            "ends too early",
        ),
        (lambda: _proto(7, [2], tensor_content=b"\x05\x05abc"), "its 2 strings take 12"),
    ],
)
def test_contradictions_and_bombs_are_refused_in_words(tensor, message):
    with pytest.raises(TensorError, match=message):
        array_of_tensor("x", tensor(), most_bytes=MOST)


def test_an_array_of_no_tensor_type_is_refused():
    with pytest.raises(TensorError, match="datetime64"):
        tensor_of_array(np.array(["2026-01-01"], "datetime64[D]"))
