"""The nesting of JSON, without parsing it."""

import json

import pytest

from penstock.server.safety.json_depth import is_too_deep


@pytest.mark.parametrize("depth", [1, 2, 5, 63, 64])
def test_what_is_within_the_limit_is_read(depth):
    assert not is_too_deep(b"[" * depth + b"]" * depth)
    assert not is_too_deep(b'{"a":' * depth + b"1" + b"}" * depth)
    many = b"[" + b",".join([b"[1, [2, 3]]"] * 1000) + b"]"
    assert not is_too_deep(many)
    assert is_too_deep(many, 2)


@pytest.mark.parametrize("depth", [65, 100, 5000])
def test_what_is_deeper_is_not(depth):
    assert is_too_deep(b"[" * depth + b"]" * depth)
    assert is_too_deep(b'[{"a":' * depth + b"1" + b"}]" * depth)
    assert is_too_deep(b'["]",' + b"[" * depth + b"]" * depth + b"]")


def test_brackets_within_texts_do_not_count():
    body = json.dumps({"a": ["[" * 100 + '"\\' + "]" * 100, "{" * 100 + "}" * 100]}).encode()
    assert not is_too_deep(body)
