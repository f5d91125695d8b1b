import os

import pytest

from penstock.io.files.plain_path import plain_path


@pytest.fixture(autouse=True)
def _temporary_files(tmp_path, monkeypatch):
    (tmp_path / "tmp").mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "tmp"))


@pytest.mark.parametrize("name", ["taxi [v2]", "what?", "a*b", "back\\slash"])
def test_a_path_that_looks_like_a_pattern_becomes_a_link_to_it(tmp_path, name):
    folder = tmp_path / name / "model"
    folder.mkdir(parents=True)
    (folder / "saved_model.pb").write_bytes(b"model")
    link = plain_path(str(folder))
    assert not set("*?[\\") & set(link)
    assert os.path.realpath(link) == str(folder)
    assert plain_path(str(folder)) == link
    with open(f"{link}/saved_model.pb", "rb") as file:
        assert file.read() == b"model"


@pytest.mark.parametrize("path", ["/data/model/7", "relative/model", "gs://bucket/a[1]/model"])
def test_other_paths_stay_as_they_are(path):
    assert plain_path(path) == path


def test_a_savedmodel_below_brackets_is_loaded(tmp_path):
    import tensorflow as tf

    module = tf.Module()
    module.v = tf.Variable(3.0)
    folder = str(tmp_path / "taxi [v2]")
    tf.saved_model.save(module, folder)
    assert float(tf.saved_model.load(plain_path(folder)).v) == 3.0
