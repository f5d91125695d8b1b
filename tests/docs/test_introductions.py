"""Where what introductions teach runs: each link leads to a line, and the page is what they make."""

from __future__ import annotations

import importlib
import re

import pytest
from pages import ROOT


@pytest.fixture
def made(monkeypatch):
    monkeypatch.syspath_prepend(str(ROOT / "docs/hooks"))
    return importlib.import_module("introductions_page")


def _without_lines(text: str) -> str:
    return re.sub(r"(\.\w+):\d+", r"\1", text)


def test_every_section_leads_to_a_line_or_says_why_not(made):
    broken = []
    for each in made.introductions():
        assert each["sections"]
        for title, links, *remark in each["sections"]:
            assert links or remark, f"{title}: neither a link nor a reason"
            for link in links:
                try:
                    made.resolve(link)
                except made.BrokenLink as error:
                    broken.append(f"{title}: {error}")
    assert broken == []


def test_the_page_is_made_of_them(made):
    """Lines move with the code: the site has them as they are, the repository as when it was written."""
    written = (ROOT / "docs" / made.PAGE).read_text()
    assert _without_lines(written) == _without_lines(made.page()), (
        "python docs/hooks/introductions_page.py"
    )


def test_links_are_resolved_by_symbol_or_by_text(made, tmp_path, monkeypatch):
    monkeypatch.setattr(made, "ROOT", tmp_path)
    (tmp_path / "a.py").write_text("x = 1\n\n\nclass A:\n    def b(self):\n        return 'deep'\n")
    assert made.resolve("a.py#A.b").line == 5
    assert made.resolve("a.py#x").line == 1
    assert made.resolve("a.py#'deep'").line == 6
    assert made.resolve("a.py").markdown() == "`a.py`"
    for link in ("b.py#A", "a.py#nothing"):
        with pytest.raises(made.BrokenLink, match="there is no b.py|has no 'nothing'"):
            made.resolve(link)
