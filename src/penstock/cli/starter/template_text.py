"""The language of the project template's files.

A line `%if NAME` begins lines that are kept where the value of that name is true; `%else` and `%end`
stand alone on their lines. `{{NAME}}` is replaced by the value's text; where a line holds nothing else,
each line of the value gets its indentation.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

_DIRECTIVE = re.compile(r"%(if (?P<name>\w+)|else|end)")
_NAME = re.compile(r"\{\{(\w+)\}\}")
_ALONE = re.compile(r"(?P<indent> *)\{\{(?P<name>\w+)\}\}")


def render(text: str, values: Mapping[str, object]) -> str:
    """Return a template's text with values filled in.

    Raises:
        KeyError: If it names a value that is not given.

    Example:
        >>> render("%if big\\nbig {{what}}\\n%else\\nsmall\\n%end\\n", {"big": True, "what": "cat"})
        'big cat\\n'
    """
    lines: list[str] = []
    kept = [True]
    for line in text.splitlines():
        directive = _DIRECTIVE.fullmatch(line)
        if directive is None:
            if all(kept):
                lines += _filled(line, values)
        elif name := directive["name"]:
            kept.append(bool(values[name]))
        elif line == "%else":
            kept[-1] = not kept[-1]
        else:
            kept.pop()
    return "".join(f"{line}\n" for line in lines)


def _filled(line: str, values: Mapping[str, object]) -> list[str]:
    alone = _ALONE.fullmatch(line)
    if alone is None:
        return [_NAME.sub(lambda match: str(values[match[1]]), line)]
    filled = str(values[alone["name"]]).splitlines()
    return [f"{alone['indent']}{each}" if each else "" for each in filled]
