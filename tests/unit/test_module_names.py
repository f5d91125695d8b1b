import importlib
import pickle
import subprocess
import sys

import pytest

from penstock.dsl.module_files import find_module_file, import_module_file
from penstock.dsl.references import module_name, reference, resolve
from penstock.module_names import as_name, as_parts

NAMES = ["taxi-utils", "01_prep", "pipeline.v2", "a%2Eb", "c:d", "class", "x y", "été"]


@pytest.mark.parametrize("name", NAMES)
def test_a_name_is_made_and_read(name):
    assert as_parts(as_name(["my.folder", name])) == ["my.folder", name]
    assert as_name(["pipelines", "penguin"]) == "pipelines.penguin"


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.setattr(sys, "dont_write_bytecode", True)
    before = set(sys.modules)
    yield tmp_path
    for name in set(sys.modules) - before:
        del sys.modules[name]


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("package", [False, True])
def test_a_file_of_any_name_is_the_same_module_everywhere(folder, name, package):
    path = folder / "my-folder.d" / f"{name}.py"
    path.parent.mkdir()
    path.write_text("from .beside import x\n\n\ndef f():\n    return x\n")
    (path.parent / "beside.py").write_text("x = 3\n")
    if package:
        (path.parent / "__init__.py").write_text("")
    module = import_module_file(f"my-folder.d/{name}.py", str(folder))
    assert module.__name__ == module_name(path, folder)
    assert find_module_file(module.__name__, str(folder)).path == str(path)
    assert resolve(reference(module.f))() == 3
    assert pickle.loads(pickle.dumps(module.f)) is module.f
    assert importlib.import_module(module.__name__) is module


def test_another_process_finds_it(folder):
    (folder / "pipeline.v2.py").write_text("x = 3\n")
    code = f"import sys; sys.path.insert(0, {str(folder)!r}); import penstock, importlib\n"
    code += "print(importlib.import_module('pipeline%2Ev2').x)"
    shown = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert shown.stdout == "3\n"


def test_a_module_that_is_not_there_is_not_found(folder):
    with pytest.raises(ModuleNotFoundError, match="nowhere%2Ev2"):
        importlib.import_module("nowhere%2Ev2")
    assert find_module_file("email.mime.text", str(folder)).path.endswith("text.py")
