"""A project asks for the Penstock that made it: every form of PEP 610's direct_url.json."""

from __future__ import annotations

from pathlib import Path

import pytest

from penstock.cli.starter import installed
from penstock.cli.starter.installed import Installed, pinned


def test_from_an_index():
    assert pinned("0.1.0", None) == Installed("penstock-ml[run]==0.1.0")


def test_from_version_control_it_is_the_commit_not_the_branch():
    record = {
        "url": "https://example.org/penstock.git",
        "vcs_info": {
            "vcs": "git",
            "requested_revision": "main",
            "commit_id": "7921be1537eac1e97bc40",
        },
    }
    assert pinned("0.1.0", record) == Installed(
        "penstock-ml[run] @ git+https://example.org/penstock.git@7921be1537eac1e97bc40"
    )
    assert pinned("0.1.0", {**record, "subdirectory": "python/penstock"}).requirement.endswith(
        "@7921be1537eac1e97bc40#subdirectory=python/penstock"
    )


@pytest.mark.parametrize(
    ("info", "fragment"),
    [
        ({"hashes": {"md5": "d4", "sha256": "2dc6b"}, "hash": "sha256=2dc6b"}, "#sha256=2dc6b"),
        ({"hash": "sha256=2dc6b"}, "#sha256=2dc6b"),
        ({"hashes": {"sha512": "ab"}}, "#sha512=ab"),
        ({}, ""),
    ],
)
def test_from_an_archive(info, fragment):
    url = "https://example.org/penstock_ml-0.1.0-py3-none-any.whl"
    found = pinned("0.1.0", {"url": url, "archive_info": info})
    assert found == Installed(f"penstock-ml[run] @ {url}{fragment}")


def test_from_a_folder():
    record = {"url": "file:///home/ann/my%20penstock", "dir_info": {}}
    assert pinned("0.1.0", record) == Installed(
        "penstock-ml[run] @ file:///home/ann/my%20penstock", "/home/ann/my penstock", False
    )
    record["dir_info"] = {"editable": True}
    assert pinned("0.1.0", record).editable


def test_only_found_on_the_import_path(monkeypatch):
    def missing(name):
        raise installed.importlib.metadata.PackageNotFoundError(name)

    monkeypatch.setattr(installed.importlib.metadata, "distribution", missing)
    found = installed.installed_penstock()
    root = Path(__file__).resolve().parents[4]
    assert found == Installed(f"penstock-ml[run] @ {root.as_uri()}", str(root), True)
