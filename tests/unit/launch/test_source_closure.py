import pytest

from penstock.launch.digest_memo import DigestMemo
from penstock.launch.source_closure import SourceClosure

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
    assert sorted(found) == ["modules", "modules.features", "modules.model", "modules.numbers_of"]


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
        "modules",
        "modules.features",
        "modules.numbers_of",
    ]
