import json
import multiprocessing

import pytest

from penstock.pushing import (
    ModelError,
    alias_history,
    push_model,
    read_aliases,
    remove_alias,
    set_alias,
)


@pytest.fixture
def destination(tmp_path) -> str:
    for version in (6, 7):
        (tmp_path / "taxi" / str(version)).mkdir(parents=True)
    return str(tmp_path / "taxi")


def test_an_alias_names_a_version_and_remembers_the_one_before(destination):
    assert read_aliases(destination) == {}
    assert set_alias(destination, "champion", 6, by="ada") is None
    assert set_alias(destination, "champion", 7, by="bob") == 6
    assert set_alias(destination, "canary", 6) is None
    assert read_aliases(destination) == {"canary": 6, "champion": 7}
    changes = alias_history(destination, "champion")
    assert [(each.before, each.after, each.by) for each in changes] == [
        (None, 6, "ada"),
        (6, 7, "bob"),
    ]
    assert len(alias_history(destination)) == 3
    assert alias_history(destination)[-1].by
    assert changes[0].at.endswith("Z")


def test_naming_the_same_version_again_is_no_change(destination):
    set_alias(destination, "champion", 6)
    assert set_alias(destination, "champion", 6) == 6
    assert len(alias_history(destination)) == 1


def test_an_alias_is_removed(destination):
    set_alias(destination, "champion", 6)
    assert remove_alias(destination, "champion") == 6
    assert read_aliases(destination) == {}
    assert alias_history(destination)[-1].after is None
    with pytest.raises(ValueError, match="has no alias 'champion'"):
        remove_alias(destination, "champion")


@pytest.mark.parametrize("name", ["", "a b", "a/b", "@champion", "x" * 256, "ümlaut"])
def test_a_name_is_letters_digits_and_dashes(destination, name):
    with pytest.raises(ValueError, match="An alias consists of"):
        set_alias(destination, name, 6)


@pytest.mark.parametrize("name", ["latest", "v7", "7", "Latest"])
def test_a_name_is_not_mistaken_for_a_version(destination, name):
    with pytest.raises(ValueError, match=f"Received: alias='{name}'"):
        set_alias(destination, name, 6)


def test_a_version_that_is_not_there_is_refused(destination):
    with pytest.raises(ValueError, match=r"taxi has no version 9. Versions: 6, 7"):
        set_alias(destination, "champion", 9)
    with pytest.raises(ValueError, match=r"nowhere has no version 9. Versions: none"):
        set_alias(f"{destination}/nowhere", "champion", 9)


def test_the_file_of_another_tool_is_read(destination):
    with open(f"{destination}/penstock_aliases.json", "w") as file:
        json.dump({"format": 1, "aliases": {"champion": 7}}, file)
    assert read_aliases(destination) == {"champion": 7}
    assert alias_history(destination) == []


@pytest.mark.parametrize(
    ("text", "words"),
    [("{", "is damaged"), ('{"format": 1}', "is damaged"), ('{"format": 3}', "the format 3")],
)
def test_a_damaged_file_is_said(destination, text, words):
    with open(f"{destination}/penstock_aliases.json", "w") as file:
        file.write(text)
    with pytest.raises(ModelError, match=rf"penstock_aliases.json.*{words}"):
        read_aliases(destination)


def _alternate(destination: str, name: str) -> None:
    for i in range(20):
        set_alias(destination, name, 6 + i % 2)


def test_changes_at_the_same_time_are_all_kept(destination):
    context = multiprocessing.get_context("fork")
    writers = [
        context.Process(target=_alternate, args=(destination, f"alias{i}")) for i in range(3)
    ]
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join()
        assert writer.exitcode == 0
    assert read_aliases(destination) == {f"alias{i}": 7 for i in range(3)}
    assert len(alias_history(destination)) == 60


def test_a_push_leaves_aliases_alone(destination, model):
    set_alias(destination, "champion", 7)
    push_model(model, destination, versioning="next")
    assert read_aliases(destination) == {"champion": 7}
