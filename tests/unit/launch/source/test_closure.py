import re
from pathlib import Path

import pytest

import penstock
from penstock.launch.digest_memo import DigestMemo
from penstock.launch.source.closure import SourceClosure, _counts

FILES = {
    "modules/__init__.py": "",
    "modules/model.py": "from modules import features\n\ndef run_fn(a):\n    return features.scale(a)\n",
    "modules/features.py": "from .numbers_of import FACTOR\n\ndef scale(x):\n    return x * FACTOR\n",
    "modules/numbers_of.py": "FACTOR = 2\n",
    "modules/unused.py": "import os\n",
    "lazy.py": "def run():\n    import modules.unused\n",
}


@pytest.fixture
def project(tmp_path):
    for name, text in FILES.items():
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(text)
    return tmp_path


def digests(project, *modules):
    return SourceClosure(str(project), DigestMemo()).digests(modules)


def test_imports_are_followed_through_the_project_only(project):
    found = digests(project, "modules.model")
    assert sorted(found) == [
        "modules.__init__",
        "modules.features",
        "modules.model",
        "modules.numbers_of",
    ]


def test_imports_inside_functions_count(project):
    assert "modules.unused" in digests(project, "lazy")


@pytest.mark.parametrize(
    ("name", "old", "new"),
    [
        ("modules/numbers_of.py", "FACTOR = 2", "FACTOR = 3"),
        ("modules/features.py", "x * FACTOR", "FACTOR * x"),
        ("modules/model.py", "def run_fn(a):", "def run_fn(a, b=1):"),
    ],
)
def test_a_change_two_imports_away_shows_in_its_module_alone(project, name, old, new):
    before = digests(project, "modules.model")
    path = project / name
    path.write_text(path.read_text().replace(old, new))
    after = digests(project, "modules.model")
    changed = [module for module in before if before[module] != after[module]]
    assert changed == [name.removesuffix(".py").replace("/", ".")]


@pytest.mark.parametrize(
    "text",
    [
        '"""What it is."""\nFACTOR = 2\n',
        "# Why it is two.\nFACTOR = 2  # a comment\n",
        "\n\nFACTOR   =   2\n",
        "FACTOR = (2)\n",
    ],
)
def test_comments_docstrings_and_layout_do_not_count(project, text):
    before = digests(project, "modules.model")
    (project / "modules/numbers_of.py").write_text(text)
    assert digests(project, "modules.model") == before


def test_a_string_that_is_no_docstring_counts(project):
    before = digests(project, "modules.numbers_of")
    (project / "modules/numbers_of.py").write_text('FACTOR = 2\nNAME = "x"\n')
    assert digests(project, "modules.numbers_of") != before


def test_a_moved_project_has_the_same_digests(project, tmp_path_factory):
    import shutil

    other = tmp_path_factory.mktemp("other") / "place"
    shutil.copytree(project, other)
    assert digests(other, "modules.model") == digests(project, "modules.model")


def test_every_room_that_a_component_calls_counts():
    """A room that is new is either one that decides what is computed, or is named among the others."""
    package = Path(penstock.__file__).parent
    called = {
        found
        for file in (package / "components").glob("*.py")
        for found in re.findall(r"from penstock\.(\w+)", file.read_text("utf-8"))
        if (package / found).is_dir()
    }
    assert {"bulk_inference", "explaining", "infra_validation", "training"} <= called
    assert {room for room in called if not _counts(room)} == {"beam", "dsl"}


def test_penstock_s_data_rooms_count_and_its_runners_do_not(project):
    found = digests(project, "penstock.artifacts.value")
    assert "penstock.artifacts.location" in found
    assert not [name for name in found if name.startswith(("penstock.dsl", "penstock.runners"))]


@pytest.mark.parametrize(
    ("use", "whole"),
    [
        ("from modules import features", False),
        ("import modules.features", False),
        ("from modules import Scaler", True),
        ("import modules", True),
    ],
)
def test_a_lazily_exporting_package_counts_whole_where_its_names_are_used(project, use, whole):
    (project / "modules/__init__.py").write_text(
        "def __getattr__(name):\n    raise AttributeError\n"
    )
    (project / "lazy.py").write_text(use + "\n")
    assert ("modules.unused" in digests(project, "lazy")) is whole


def test_a_file_that_does_not_parse_is_taken_by_its_bytes(project):
    (project / "lazy.py").write_text("def (:\n")
    first = digests(project, "lazy")
    (project / "lazy.py").write_text("def (:  # changed\n")
    assert digests(project, "lazy") != first


def test_imports_for_type_checkers_do_not_count(project):
    (project / "lazy.py").write_text(
        "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    import modules.unused\n"
    )
    assert "modules.unused" not in digests(project, "lazy")


def test_a_lazily_exporting_package_may_say_which_module_gives_a_name(project):
    (project / "modules/__init__.py").write_text(
        "from typing import TYPE_CHECKING\n"
        "if TYPE_CHECKING:\n    from modules.features import scale\n"
        "def __getattr__(name):\n    raise AttributeError\n"
    )
    (project / "lazy.py").write_text("from modules import scale\n")
    assert sorted(digests(project, "lazy")) == [
        "lazy",
        "modules.__init__",
        "modules.features",
        "modules.numbers_of",
    ]


def names(project, text, entry="run_fn"):
    """Return the names of a module `one` that count, and `*` for all of it."""
    (project / "one.py").write_text(text)
    found = digests(project, f"one:{entry}")
    return {name.partition(":")[2] or "*" for name in found if name.partition(":")[0] == "one"}


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("def run_fn(): pass\ndef other(): pass\n", {"run_fn"}),
        ("A = 1\nB = A\ndef run_fn(): return B\n", {"A", "B", "run_fn"}),
        ("def run_fn(x: 'Kind'): pass\nclass Kind: pass\n", {"run_fn", "Kind"}),
        ("import os\nD = os.path.join('a', 'b')\ndef run_fn(): pass\n", {"run_fn"}),
        ("import os\nos.environ['A'] = 'b'\ndef run_fn(): pass\n", {"run_fn", "<module>"}),
        ("import some_unknown_package\ndef run_fn(): pass\n", {"run_fn", "<module>"}),
        ("import keras\nclass L(keras.layers.Layer): pass\ndef run_fn(): pass\n", {"run_fn"}),
        (
            "import keras\n@keras.saving.register_keras_serializable()\nclass L: pass\n"
            "def run_fn(): pass\n",
            {"run_fn", "<module>"},
        ),
        (
            "class B:\n    def __init_subclass__(cls): pass\nclass C(B): pass\ndef run_fn(): pass\n",
            {"run_fn", "<module>", "B"},
        ),
        ("import tensorflow as tf\n@tf.function\ndef f(): pass\ndef run_fn(): pass\n", {"run_fn"}),
        ("A = [1]\nA.append(2)\ndef run_fn(): pass\n", {"run_fn", "<module>", "A"}),
        ("A = make()\ndef make(): pass\ndef run_fn(): pass\n", {"run_fn", "<module>", "make"}),
        ("A = 1\nA = 2\ndef run_fn(): pass\n", {"run_fn", "<module>"}),
        ("def run_fn(): return eval('other()')\ndef other(): pass\n", {"*"}),
        ("from os.path import *\ndef run_fn(): pass\n", {"*"}),
        ("def __getattr__(name): pass\ndef run_fn(): pass\n", {"*"}),
        ("def run_fn(): return __doc__\n", {"*"}),
        ("if __name__ == '__main__':\n    run_fn()\ndef run_fn(): pass\n", {"run_fn"}),
        (
            "from penstock import Pipeline, component\n@component\ndef run_fn() -> int: return 1\n"
            "node = run_fn()\nnode.with_id('a')\npipeline = Pipeline('p', components=[node])\n",
            {"run_fn"},
        ),
    ],
)
def test_what_counts_of_a_module(project, text, expected):
    assert names(project, text) == expected


def test_docstrings_count_where_code_reads_them(project):
    text = '"""One."""\ndef run_fn():\n    return __doc__\n'
    (project / "one.py").write_text(text)
    before = digests(project, "one:run_fn")
    (project / "one.py").write_text(text.replace("One", "Two"))
    assert digests(project, "one:run_fn") != before


def test_swapped_imports_count_though_no_function_changed(project):
    text = "from modules.numbers_of import a as x, b as y\ndef run_fn(): return x(y())\n"
    (project / "modules/numbers_of.py").write_text("def a(): pass\ndef b(): pass\n")
    (project / "one.py").write_text(text)
    before = digests(project, "one:run_fn")
    (project / "one.py").write_text(text.replace("a as x, b as y", "b as x, a as y"))
    assert digests(project, "one:run_fn") != before


def test_swapped_exports_of_a_package_count(project):
    (project / "modules/numbers_of.py").write_text("def a(): pass\ndef b(): pass\n")
    (project / "one.py").write_text("from modules import x, y\ndef run_fn(): return x(y())\n")
    text = "from modules.numbers_of import a as x, b as y\n"
    (project / "modules/__init__.py").write_text(text)
    before = digests(project, "one:run_fn")
    (project / "modules/__init__.py").write_text(text.replace("a as x, b as y", "b as x, a as y"))
    assert digests(project, "one:run_fn") != before


def test_the_order_of_imports_counts_where_modules_do_something(project):
    for name in ("features", "numbers_of"):
        (project / f"modules/{name}.py").write_text(f"print('{name}')\n")
    found = set()
    for order in (("features", "numbers_of"), ("numbers_of", "features")):
        lines = "".join(f"import modules.{name}\n" for name in order)
        (project / "one.py").write_text(lines + "def run_fn(): pass\n")
        found.add(digests(project, "one:run_fn")["<imports>"])
    assert len(found) == 2


def test_a_moved_statement_counts_where_its_order_matters(project):
    text = "import os\nA = 1\nos.environ['A'] = str(A)\ndef run_fn(): pass\n"
    (project / "one.py").write_text(text)
    before = digests(project, "one:run_fn")
    (project / "one.py").write_text(
        "import os\nos.environ['A'] = str(A)\nA = 1\ndef run_fn(): pass\n"
    )
    assert digests(project, "one:run_fn") != before


def test_the_memory_of_parsed_modules_gives_the_same(project, tmp_path):
    import os

    for path in project.rglob("*.py"):
        os.utime(path, (1_700_000_000, 1_700_000_000))
    memo = DigestMemo(str(tmp_path / "memo.json"))
    first = SourceClosure(str(project), memo).digests(["modules.model:run_fn"])
    memo.save()
    again = DigestMemo(str(tmp_path / "memo.json"))
    assert SourceClosure(str(project), again).digests(["modules.model:run_fn"]) == first


@pytest.mark.parametrize(
    "definition", ["def run_fn(x=A): pass", "run_fn = A", "class run_fn(A): pass"]
)
def test_where_a_definition_stands_counts_if_it_reads_what_changes(project, definition):
    (project / "one.py").write_text(f"A = object\n{definition}\nA = dict\n")
    before = digests(project, "one:run_fn")
    (project / "one.py").write_text(f"A = object\nA = dict\n{definition}\n")
    assert digests(project, "one:run_fn") != before


def test_a_copy_of_a_list_that_is_filled_counts_where_it_stands(project):
    (project / "one.py").write_text("A = [1]\nrun_fn = list(A)\nA.append(2)\n")
    before = digests(project, "one:run_fn")
    (project / "one.py").write_text("A = [1]\nA.append(2)\nrun_fn = list(A)\n")
    assert digests(project, "one:run_fn") != before


def test_names_of_a_star_import_that_run_on_import_count(project):
    (project / "modules/numbers_of.py").write_text("def register(x): pass\n")
    (project / "modules/features.py").write_text(
        "from modules.numbers_of import *\nregister(1)\ndef unused(): pass\n"
    )
    (project / "one.py").write_text("import modules.features\ndef run_fn(): pass\n")
    before = digests(project, "one:run_fn")
    (project / "modules/numbers_of.py").write_text("def register(x): print(x)\n")
    assert digests(project, "one:run_fn") != before


def test_a_function_that_need_not_be_there_and_is_not_counts_as_nothing(project):
    entries = ("modules.model:run_fn", "modules.model:stats_options_updater_fn")
    without = digests(project, *entries)
    assert without == digests(project, "modules.model:run_fn")
    path = project / "modules/model.py"
    path.write_text(
        path.read_text() + "\ndef stats_options_updater_fn(kind, options):\n    return options\n"
    )
    assert set(digests(project, *entries)) - set(without) == {
        "modules.model:stats_options_updater_fn"
    }


def test_a_module_that_binds_names_by_itself_counts_as_a_whole(project):
    path = project / "modules/model.py"
    path.write_text(path.read_text() + '\nglobals()["tuner_fn"] = run_fn\n')
    assert "modules.model" in digests(project, "modules.model:tuner_fn")
