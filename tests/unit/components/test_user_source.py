"""User code by its names: what a notebook defines stays where it is in its own process."""

import linecache
import pickle
import sys
import types

from penstock.components.user_source import UserSource


def test_a_notebooks_own_process_keeps_its_main(monkeypatch, tmp_path):
    module = types.ModuleType("__main__")
    text = "def train(fn_args):\n    return 7\n\ndef care():\n    return 8\n"
    linecache.cache["<cell 1>"] = (len(text), None, text.splitlines(keepends=True), "<cell 1>")
    monkeypatch.setitem(sys.modules, "__main__", module)
    monkeypatch.setattr(sys, "path", [*sys.path])
    exec(compile(text, "<cell 1>", "exec"), module.__dict__)

    source = UserSource.of(str(tmp_path), None, module.train, {"how": module.care})
    assert "def care" in source.main
    assert source.load() is module.train
    assert source.custom_config() == {"how": module.care}
    assert sys.modules["__main__"] is module

    elsewhere = pickle.loads(pickle.dumps(source))
    monkeypatch.setattr("os.getpid", lambda: source.process + 1)
    assert elsewhere.load() is not module.train
    assert elsewhere.load()(None) == 7
    assert elsewhere.custom_config()["how"]() == 8
