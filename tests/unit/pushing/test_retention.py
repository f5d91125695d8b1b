import os

import pytest

from penstock.pushing import (
    apply_retention,
    earlier_versions,
    hold_version,
    list_versions,
    push_model,
    remove_alias,
    set_alias,
)


@pytest.fixture
def local(tmp_path) -> str:
    return str(tmp_path)


@pytest.fixture(params=["local", "memory"])
def destination(request, model) -> str:
    destination = request.getfixturevalue(request.param)
    for _ in range(6):
        push_model(model, destination, versioning="next")
    return destination


def test_the_newest_stay_and_what_is_in_use(destination):
    set_alias(destination, "champion", 1)
    set_alias(destination, "champion", 2)
    with hold_version(destination, 3):
        planned = apply_retention(destination, 2, dry_run=True)
        assert list_versions(destination) == [1, 2, 3, 4, 5, 6]
        assert apply_retention(destination, 2) == planned
    assert planned.removed == (4,)
    assert planned.kept == {
        1: "alias champion can be rolled back to it",
        2: "alias champion",
        3: "in use by a server",
    }
    assert list_versions(destination) == [1, 2, 3, 5, 6]
    assert apply_retention(destination, 2).removed == (3,)
    remove_alias(destination, "champion")
    assert apply_retention(destination, 1).removed == (1, 2, 5)


def test_a_push_removes_what_is_too_old(destination, model):
    pushed = push_model(model, destination, versioning="next", keep=3)
    assert pushed.removed == (1, 2, 3, 4)
    assert list_versions(destination) == [5, 6, 7]


def test_what_another_tool_pushed_stays(local, model):
    (tmp := os.path.join(local, "0004")) and os.makedirs(tmp)
    for _ in range(3):
        push_model(model, local, versioning="next")
    kept = apply_retention(local, 1)
    assert kept.removed == (5, 6)
    assert kept.kept == {4: "pushed by another tool"}
    assert sorted(os.listdir(local)) == ["0004", "7"]


@pytest.mark.parametrize("keep", [0, -1, True])
def test_one_version_stays_at_least(local, keep):
    with pytest.raises(ValueError, match="1 or more. Received"):
        apply_retention(local, keep)


def test_going_back_takes_a_change_back(local, model):
    for _ in range(3):
        push_model(model, local, versioning="next")
    assert earlier_versions(local, "champion") == []
    for version in (1, 2, 3):
        set_alias(local, "champion", version)
    assert earlier_versions(local, "champion") == [2, 1]
    set_alias(local, "champion", 2)
    assert earlier_versions(local, "champion") == [1]
    set_alias(local, "champion", 1)
    assert earlier_versions(local, "champion") == []
    set_alias(local, "champion", 3)
    assert earlier_versions(local, "champion") == [1]
    remove_alias(local, "champion")
    set_alias(local, "champion", 2)
    assert earlier_versions(local, "champion") == []


def test_old_versions_that_cannot_be_removed_are_a_warning(local, model, monkeypatch, caplog):
    push_model(model, local, versioning="next")

    def refuse(*_):
        raise PermissionError(13, "Permission denied")

    renames = iter([os.rename, refuse])
    monkeypatch.setattr(os, "rename", lambda *given: next(renames)(*given))
    pushed = push_model(model, local, versioning="next", keep=1)
    assert (pushed.version, pushed.removed) == (2, ())
    assert "Old versions cannot be removed here: user " in caplog.text
    assert list_versions(local) == [1, 2]


def test_what_a_killed_removal_leaves_is_hidden_and_swept(local, model, monkeypatch):
    for _ in range(2):
        push_model(model, local, versioning="next")
    with monkeypatch.context() as killed:
        killed.setattr("penstock.pushing.retention.shutil.rmtree", lambda *_, **__: None)
        assert apply_retention(local, 1).removed == (1,)
    assert list_versions(local) == [2]
    assert len(os.listdir(local)) == 2
    push_model(model, local, versioning="next")
    assert sorted(os.listdir(local)) == ["2", "3"]
