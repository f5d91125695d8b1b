from __future__ import annotations

import copy

import pytest

from penstock.launch.key_difference import key_differences, nearest_key

KEY = {
    "node": "Trainer",
    "component": "tfx.components.trainer.component.Trainer",
    "code": {"modules.penguin": "aaaa", "modules.features": "bbbb"},
    "libraries": {"tensorflow": "2.20.0", "keras": "3.15.1"},
    "parameters": {
        "epochs": 5,
        "train_args": {"$dataclass": "x:TrainArgs", "fields": {"num_steps": 100, "splits": ["a"]}},
        "custom_config": {"layers": {"first": 8}},
        "activation": {"$name": "keras.activations:relu"},
    },
    "inputs": {"examples": ["f1"], "schema": ["f2"]},
    "external": {"input_base/a.csv": "d1"},
    "seed": None,
    "deterministic": False,
}


def changed(path: str, value: object) -> dict:
    """Return the key with one value set (`...` to remove it)."""
    key = copy.deepcopy(KEY)
    *folders, last = path.split("/")
    place = key
    for folder in folders:
        place = place[folder.replace("|", "/")]
    last = last.replace("|", "/")
    if value is ...:
        del place[last]
    else:
        place[last] = value
    return key


@pytest.mark.parametrize(
    ("path", "value", "section", "name", "sentence"),
    [
        ("component", "my.Trainer", "component", "",
         'the component changed: "tfx.components.trainer.component.Trainer" -> "my.Trainer"'),
        ("code/modules.features", "cccc", "code", "modules.features",
         "modules/features.py changed"),
        ("code/modules.new", "dddd", "code", "modules.new",
         "modules/new.py is imported now but was not before"),
        ("code/modules.features", ..., "code", "modules.features",
         "modules/features.py is no longer imported"),
        ("libraries/tensorflow", "2.21.0", "libraries", "tensorflow",
         "library tensorflow changed: 2.20.0 -> 2.21.0"),
        ("libraries/tensorflow", "absent", "libraries", "tensorflow",
         "library tensorflow changed: 2.20.0 -> absent"),
        ("parameters/epochs", 20, "parameters", "epochs", "parameter epochs changed: 5 -> 20"),
        ("parameters/epochs", ..., "parameters", "epochs", "parameter epochs is gone; it was 5"),
        ("parameters/rate", 0.1, "parameters", "rate", "parameter rate is new: 0.1"),
        ("parameters/train_args/fields/num_steps", 200, "parameters", "train_args.num_steps",
         "parameter train_args.num_steps changed: 100 -> 200"),
        ("parameters/custom_config/layers/first", 16, "parameters", "custom_config.layers.first",
         "parameter custom_config.layers.first changed: 8 -> 16"),
        ("parameters/activation", {"$name": "keras.activations:tanh"}, "parameters", "activation",
         "parameter activation changed: keras.activations:relu -> keras.activations:tanh"),
        ("parameters/train_args", None, "parameters", "train_args",
         'parameter train_args changed: TrainArgs({"num_steps": 100, "splits": ["a"]}) '
         "-> none"),
        ("inputs/examples", ["f9"], "inputs", "examples", "input examples changed"),
        ("inputs/examples", ["f1", "f9"], "inputs", "examples",
         "input examples changed: 1 -> 2 artifacts"),
        ("inputs/baseline", ["f3"], "inputs", "baseline",
         "input baseline has an artifact now but had none before"),
        ("inputs/schema", ..., "inputs", "schema",
         "input schema has no artifact now but had one before"),
        ("external/input_base|a.csv", "d2", "external", "input_base/a.csv",
         "content of data file input_base/a.csv changed"),
        ("external/input_base|b.csv", "d2", "external", "input_base/b.csv",
         "data file input_base/b.csv is new"),
        ("external/input_base|a.csv", ..., "external", "input_base/a.csv",
         "data file input_base/a.csv is gone"),
        ("seed", 7, "seed", "", "the seed changed: none -> 7"),
        ("seed", ..., "seed", "", "the seed is gone; it was none"),
        ("deterministic", True, "deterministic", "",
         "the determinism switch changed: false -> true"),
    ],
)  # fmt: skip
def test_one_change_is_one_sentence(path, value, section, name, sentence):
    (found,) = key_differences(KEY, changed(path, value))
    assert (found.section, found.name, found.sentence) == (section, name, sentence)


def test_an_upgrade_of_penstock_is_one_difference_after_the_users_own():
    new = copy.deepcopy(KEY)
    new["code"] |= {f"penstock.io.m{number}": "1111" for number in range(4)}
    new["code"]["modules.features"] = "9999"
    own, library = key_differences(KEY, new)
    assert own.sentence == "modules/features.py changed"
    assert library.sentence == "Penstock's own code changed: 4 modules, such as penstock.io.m0"
    assert (library.old, len(library.new)) == ({}, 4)


def test_few_modules_of_penstock_are_named():
    new = copy.deepcopy(KEY)
    new["code"] |= {"penstock.io.csv.reader": "1111"}
    (found,) = key_differences(KEY, new)
    assert found.sentence == "penstock.io.csv.reader is imported now but was not before"


def test_equal_keys_do_not_differ():
    assert key_differences(KEY, copy.deepcopy(KEY)) == []


def test_what_matters_most_comes_first():
    new = copy.deepcopy(KEY)
    new["seed"] = 1
    new["libraries"]["keras"] = "4"
    new["inputs"]["schema"] = ["f5"]
    new["parameters"]["epochs"] = 6
    new["code"]["modules.penguin"] = "eeee"
    sections = [each.section for each in key_differences(KEY, new)]
    assert sections == ["code", "parameters", "inputs", "libraries", "seed"]


def test_values_are_kept_for_programs():
    (found,) = key_differences(KEY, changed("parameters/epochs", 20))
    assert found.to_json() == {
        "section": "parameters",
        "name": "epochs",
        "old": 5,
        "new": 20,
        "sentence": "parameter epochs changed: 5 -> 20",
    }


def test_nearest_key_is_the_one_with_the_fewest_differences_and_the_first_of_equals():
    far = changed("seed", 1)
    far["parameters"]["epochs"] = 6
    place, found = nearest_key(KEY, [far, changed("seed", 2), changed("seed", 3)])
    assert place == 1
    assert [each.sentence for each in found] == ["the seed changed: 2 -> none"]


def test_there_is_no_nearest_key_of_none():
    assert nearest_key(KEY, []) is None


def test_keys_of_an_earlier_version_without_sections_compare():
    found = key_differences({"node": "Trainer"}, KEY)
    assert {each.section for each in found} >= {"code", "parameters", "inputs"}
