"""The pages that are made from the code: each public component and each verb is on them."""

from __future__ import annotations

import importlib
import sys
from types import ModuleType

import pytest
from pages import ROOT

from penstock import Component, components
from penstock.cli.catalogue import VERBS
from penstock.cli.verbs.kubeflow import VERBS as KUBEFLOW_VERBS


@pytest.fixture
def hook(monkeypatch):
    """Import a module of `docs/hooks` as MkDocs does."""
    monkeypatch.syspath_prepend(str(ROOT / "docs/hooks"))

    def load(name: str) -> ModuleType:
        monkeypatch.delitem(sys.modules, name, raising=False)
        return importlib.import_module(name)

    return load


def test_every_component_has_its_interface_on_the_page(hook):
    page = hook("component_reference").component_reference()
    for name in components.__all__:
        kind = getattr(components, name)
        if not issubclass(kind, Component):
            continue
        section = page.split(f"### {name} {{")[1].split("\n### ")[0]
        interface = kind.interface()
        for key in (*interface.keywords, *interface.outputs):
            (row,) = [line for line in section.split("\n") if line.startswith(f"| `{key}` |")]
            assert row.split(" | ")[-1].strip(" |"), f"{name}.{key} has no sentence in a docstring"


def test_every_verb_is_on_the_page(hook):
    page = hook("command_reference").command_reference()
    assert all(f"### penstock {verb}\n" in page for verb in VERBS)
    assert all(f"#### penstock kubeflow {verb}\n" in page for verb in KUBEFLOW_VERBS)


@pytest.mark.parametrize(
    ("example", "code"),
    [
        ("Pusher(model=m)", "Pusher(model=m)"),
        (">>> for x in y:\n...     f(x)\n3", "for x in y:\n    f(x)\n# 3"),
    ],
)
def test_examples_become_code_without_prompts(hook, example, code):
    assert hook("docstring_examples").as_code(example) == f"```python\n{code}\n```"
