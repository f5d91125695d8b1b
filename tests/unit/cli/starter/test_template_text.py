from __future__ import annotations

import pytest

from penstock.cli.starter.template_text import render


def test_lines_that_depend_on_a_value():
    text = "a\n%if x\nb\n%if y\nc\n%else\nd\n%end\n%else\ne\n%end\nf\n"
    assert render(text, {"x": True, "y": False}) == "a\nb\nd\nf\n"
    assert render(text, {"x": "", "y": True}) == "a\ne\nf\n"


def test_values():
    assert render("{{a}}: {{b}}{}\n", {"a": 1, "b": "x"}) == "1: x{}\n"
    assert render("if so:\n    {{a}}\n", {"a": "one\n\ntwo"}) == "if so:\n    one\n\n    two\n"


def test_a_value_that_is_not_given():
    with pytest.raises(KeyError, match="what"):
        render("{{what}}\n", {})
