import struct

import pytest

from penstock.serving import ModelError, inspect_saved_model

MAGIC = struct.pack("<Q", 0xDB4775248B80FB57)


def field(number: int, value: bytes | int) -> bytes:
    if isinstance(value, int):
        return varint(number << 3) + varint(value)
    return varint(number << 3 | 2) + varint(len(value)) + value


def varint(value: int) -> bytes:
    out = b""
    while value > 0x7F:
        out += bytes([value & 0x7F | 0x80])
        value >>= 7
    return out + bytes([value])


def graph(tags=("serve",), signatures=("serving_default", "__saved_model_init_op"), assets=()):
    parts = field(1, b"".join(field(4, tag.encode()) for tag in tags))
    for name in signatures:
        parts += field(5, field(1, name.encode()) + field(2, b""))
    for name in assets:
        parts += field(6, field(2, name.encode()))
    return parts


@pytest.fixture
def make(tmp_path):
    def write(meta_graph=None, variables=True, assets=()):
        (tmp_path / "variables").mkdir()
        (tmp_path / "assets").mkdir()
        data = field(1, 1) + field(2, graph(assets=assets) if meta_graph is None else meta_graph)
        (tmp_path / "saved_model.pb").write_bytes(data)
        if variables:
            (tmp_path / "variables/variables.index").write_bytes(b"\0" * 40 + MAGIC)
            (tmp_path / "variables/variables.data-00000-of-00001").write_bytes(b"1234")
        for name in assets:
            (tmp_path / "assets" / name).write_text("a\n")
        return tmp_path

    return write


def test_a_whole_model_says_what_it_has(make):
    info = inspect_saved_model(str(make(assets=["vocabulary"])))
    assert info.tags == ("serve",)
    assert info.signatures == ("serving_default",)
    assert info.assets == ("vocabulary",)
    assert info.num_bytes > 50


def test_a_model_without_variables_is_whole(make):
    assert inspect_saved_model(str(make(variables=False))).tags == ("serve",)


def break_by(action):
    return pytest.param(action, id=action.__name__)


def no_graph_file(root):
    (root / "saved_model.pb").unlink()
    return r"No SavedModel at .*: saved_model\.pb is missing"


def graph_cut_short(root):
    data = (root / "saved_model.pb").read_bytes()
    (root / "saved_model.pb").write_bytes(data[:-5])
    return "saved_model.pb is damaged or not a SavedModel: DecodeError"


def another_file(root):
    (root / "saved_model.pb").write_bytes(b"<html></html>")
    return "saved_model.pb is damaged or not a SavedModel"


def an_empty_file(root):
    (root / "saved_model.pb").write_bytes(b"")
    return "saved_model.pb contains no graph"


def index_cut_short(root):
    path = root / "variables/variables.index"
    path.write_bytes(path.read_bytes()[:-1])
    return "variables.index is damaged"


def no_index(root):
    (root / "variables/variables.index").unlink()
    return "variables.index is missing beside its data"


def no_data(root):
    (root / "variables/variables.data-00000-of-00001").unlink()
    return "variables.data-00000-of-00001 is missing"


def no_shard(root):
    shard = root / "variables/variables.data-00000-of-00001"
    shard.rename(root / "variables/variables.data-00001-of-00002")
    return "variables.data-00000-of-00002 is missing"


def no_asset(root):
    (root / "assets/vocabulary").unlink()
    return "needs assets/vocabulary, which is missing"


@pytest.mark.parametrize(
    "damage",
    [
        break_by(each)
        for each in (
            no_graph_file,
            graph_cut_short,
            another_file,
            an_empty_file,
            index_cut_short,
            no_index,
            no_data,
            no_shard,
            no_asset,
        )
    ],
)
def test_what_is_broken_is_named(make, damage):
    root = make(assets=["vocabulary"])
    message = damage(root)
    with pytest.raises(ModelError, match=message):
        inspect_saved_model(str(root))
