"""What a search leaves at a URL for an attempt on another machine."""

import logging

import fsspec
import pytest

from penstock.artifacts import location
from penstock.tuning.kept_folder import KeptFolder

LOG = logging.getLogger("test")


@pytest.fixture
def url():
    yield "memory://kept-search/checkpoints"
    fsspec.filesystem("memory").rm("/kept-search", recursive=True)


def write(folder, **files):
    for name, text in files.items():
        path = folder / name.replace("__", "/").replace("_dot_", ".")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)


def names(place):
    return [name for name, _ in location.list_files(str(place))]


def test_another_machine_gets_what_was_kept(tmp_path, url):
    here, there = tmp_path / "here", tmp_path / "there"
    kept = KeptFolder(str(here), url, LOG)
    kept.fetch()  # nothing is there yet
    write(here, record_dot_pickle="1", search__trial_dot_json="a", search__c_dot_weights_dot_h5="w")
    kept.keep(str(here / "record.pickle"), weights=False)
    assert names(url) == ["record.pickle", "search/trial.json"]
    write(here, record_dot_pickle="22")
    kept.keep(str(here / "record.pickle"), weights=True)
    another = KeptFolder(str(there), url, LOG)
    another.fetch()
    assert names(there) == names(here)
    assert (there / "record.pickle").read_text() == "22"
    written = fsspec.filesystem("memory").modified("/kept-search/checkpoints/record.pickle")
    another.keep(str(there / "record.pickle"), weights=True)  # nothing has changed
    assert fsspec.filesystem("memory").modified("/kept-search/checkpoints/record.pickle") == written


def test_a_search_goes_on_where_nothing_can_be_kept(tmp_path, caplog):
    write(tmp_path, record="1")
    KeptFolder(str(tmp_path), "nowhere://bucket/x", LOG).keep(
        str(tmp_path / "record"), weights=True
    )
    assert "record cannot be kept at nowhere://bucket/x" in caplog.text
