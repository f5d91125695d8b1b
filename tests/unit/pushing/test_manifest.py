import json
import shutil
from pathlib import Path

import pytest

from penstock.pushing import ModelError, push_model, read_manifest, verify_manifest


@pytest.fixture
def pushed(model, tmp_path) -> Path:
    return Path(push_model(model, tmp_path, lineage={"run": "r1", "metrics": {"auc": 0.7}}).path)


def test_a_manifest_names_each_file_and_where_the_model_comes_from(pushed, model):
    manifest = verify_manifest(str(pushed))
    assert manifest.version == int(pushed.name)
    assert manifest.form == "SavedModel"
    assert manifest.lineage == {"run": "r1", "metrics": {"auc": 0.7}}
    assert sorted(manifest.files) == sorted(
        str(file.relative_to(model)) for file in Path(model).rglob("*") if file.is_file()
    )
    assert manifest.num_bytes == 15322
    assert json.loads((pushed / "penstock_manifest.json").read_text())["format"] == 1


def test_what_was_changed_cut_or_removed_is_named(pushed):
    file = pushed / "variables/variables.index"
    content = file.read_bytes()
    file.write_bytes(content[:-1])
    with pytest.raises(ModelError, match=r"variables.index has 253 bytes. Its manifest says 254"):
        verify_manifest(str(pushed))
    file.write_bytes(b"x" + content[1:])
    with pytest.raises(ModelError, match=r"variables.index has another content"):
        verify_manifest(str(pushed))
    file.unlink()
    with pytest.raises(ModelError, match=r"variables.index is missing"):
        verify_manifest(str(pushed))


def test_files_added_later_are_left_alone(pushed):
    (pushed / "assets.extra").mkdir()
    (pushed / "assets.extra/tf_serving_warmup_requests").write_bytes(b"requests")
    assert verify_manifest(str(pushed))


def test_a_version_of_tfx_has_none(model, tmp_path):
    shutil.copytree(model, tmp_path / "7")
    assert verify_manifest(str(tmp_path / "7")) is None
    assert read_manifest(str(tmp_path / "nowhere")) is None


@pytest.mark.parametrize("text", ["", "[]", '{"format": 1}', '{"format": 1, "files": 3}'])
def test_a_damaged_manifest_is_said(pushed, text):
    (pushed / "penstock_manifest.json").write_text(text)
    with pytest.raises(ModelError, match=r"penstock_manifest.json is damaged"):
        read_manifest(str(pushed))


def test_a_newer_format_is_said(pushed):
    (pushed / "penstock_manifest.json").write_text('{"format": 2}')
    with pytest.raises(ModelError, match="has the format 2, written by a newer Penstock"):
        read_manifest(str(pushed))


def test_a_model_that_is_pushed_once_more_gets_a_manifest_of_its_own(pushed, tmp_path):
    again = push_model(pushed, tmp_path / "again", versioning="next")
    manifest = verify_manifest(again.path)
    assert manifest.version == 1
    assert "penstock_manifest.json" not in manifest.files
