import pytest

from penstock.dsl.values import decode, encode
from penstock.pushing import Filesystem, PushDestination


def test_a_destination_survives_json():
    destination = PushDestination(filesystem=Filesystem("serving/penguin", "next"))
    assert decode(encode(destination)) == destination


def test_tfxs_nested_name_works():
    assert PushDestination.Filesystem is Filesystem


def test_a_wrong_versioning_is_named():
    with pytest.raises(ValueError, match="Received: versioning='semver'"):
        Filesystem("serving", "semver")
    with pytest.raises(ValueError, match="needs a base_directory"):
        Filesystem("")
