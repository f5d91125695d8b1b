import numpy as np
import pytest

from penstock.io.arrow.arrays import byte_strings
from penstock.io.arrow.wire_format import RowBytes, field, text_fields, varint

TEXTS = [b"", b"a", b"x" * 126, b"y" * 127, b"z" * 128, b"w" * 20_000, b"a"]


def test_fields_around_byte_strings():
    column = RowBytes.of(byte_strings(TEXTS)).in_field(1)
    inner = RowBytes.constant(len(TEXTS), field(2, b"k")) + column
    tail = RowBytes.of_fixed(np.arange(len(TEXTS), dtype="<u2")).in_field(3)
    found = (inner.in_field(5) + tail + RowBytes.constant(len(TEXTS), b"end")).in_field(200)
    expected = [
        field(
            200,
            field(5, field(2, b"k") + field(1, text)) + field(3, i.to_bytes(2, "little")) + b"end",
        )
        for i, text in enumerate(TEXTS)
    ]
    assert found.joined().to_pylist() == expected
    assert found.as_list() == expected


def test_two_columns_of_other_lengths():
    """Rows of one length whose parts have others."""
    first, second = [b"a", b"aaa", b"aa"], [b"bbb", b"b", b"bb"]
    found = RowBytes.of(byte_strings(first)).in_field(1) + RowBytes.of(second).in_field(2)
    expected = [field(9, field(1, a) + field(2, b)) for a, b in zip(first, second, strict=True)]
    assert found.in_field(9).joined().to_pylist() == expected
    assert found.in_field(9).as_list() == expected


def test_one_column_alone():
    for column in (TEXTS, byte_strings(TEXTS)):
        assert RowBytes.of(column).as_list() == TEXTS
        assert RowBytes.of(column).joined().to_pylist() == TEXTS


@pytest.mark.parametrize("rows", [0, 2])
def test_constants_alone(rows):
    found = RowBytes.constant(rows, b"ab").in_field(1)
    assert found.joined().to_pylist() == [field(1, b"ab")] * rows
    assert found.as_list() == [field(1, b"ab")] * rows


def test_groups_of_rows():
    found = RowBytes.of(byte_strings([b"a", b"bb", b"", b"c"])).in_field(1).grouped(2)
    assert found.joined().to_pylist() == [
        field(1, b"a") + field(1, b"bb"),
        field(1, b"") + field(1, b"c"),
    ]


def test_repeated_text():
    offsets, fields = text_fields(8, byte_strings([b"a", b"bb"]))
    assert fields.to_pylist() == [field(8, b"a"), field(8, b"bb")]
    assert offsets.tolist() == [0, 3, 7]


def test_varints():
    assert [varint(n) for n in (0, 127, 128, 2**64 - 1)] == [
        b"\0",
        b"\x7f",
        b"\x80\1",
        b"\xff" * 9 + b"\1",
    ]
