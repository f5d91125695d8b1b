"""Shows the section `Example:` of a docstring as code (a griffe extension).

Griffe takes it for an admonition, whose text is Markdown: code in it would run together.
"""

from __future__ import annotations

import textwrap
from typing import Any

import griffe

_TITLES = ("example", "examples")
_PROMPTS = (">>> ", "... ")


class ExamplesAsCode(griffe.Extension):
    """Turns the text of each `Example:` into a block of code."""

    def on_object(self, *, obj: griffe.Object, **_: Any) -> None:
        """Rewrite the sections of the object's docstring."""
        if obj.docstring is None:
            return
        for section in obj.docstring.parsed:
            if section.kind is griffe.DocstringSectionKind.admonition:
                value = section.value
                if value.kind in _TITLES and "```" not in value.contents:
                    value.contents = as_code(value.contents)


def as_code(text: str) -> str:
    """Return Markdown for an example; prompts are dropped, as one copies code without them."""
    lines = textwrap.dedent(text).strip("\n").split("\n")
    if any(line.startswith(_PROMPTS[0]) for line in lines):
        lines = [line[4:] if line.startswith(_PROMPTS) else f"# {line}".rstrip() for line in lines]
    code = "\n".join(lines)
    return f"```python\n{code}\n```"
