"""The nearest right name, for messages about a name that is wrong."""

from __future__ import annotations

import difflib
import functools
import inspect
import re
from collections.abc import Iterable
from typing import Any, TypeVar

_LISTED = 30


def counted(number: int, noun: str) -> str:
    """Return a number with its noun.

    Example:
        >>> counted(1, "node"), counted(11, "node")
        ('1 node', '11 nodes')
    """
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


_WORDS = re.compile(r"[\W_]+")
_Class = TypeVar("_Class", bound=type)


def closest(name: str, known: Iterable[str]) -> str | None:
    """Return the known name that is nearest, or None if none is near.

    Upper and lower case count as the same. Else a name is near that alone holds the word: `root` and
    `pipeline_root`.

    Example:
        >>> closest("exampels", ["examples", "schema"]), closest("auc", ["AUC"]), closest("x", ["AUC"])
        ('examples', 'AUC', None)
    """
    by_folded = {each.casefold(): each for each in known}
    folded = name.casefold()
    near = difflib.get_close_matches(folded, by_folded, n=1, cutoff=0.6)
    if not near:
        holding = [each for each in by_folded if folded in _WORDS.split(each)]
        near = holding if len(holding) == 1 else []
    return by_folded[near[0]] if near else None


def nearest(name: str, known: Iterable[str]) -> str:
    """Return ` Did you mean 'x'?` if one of the known names is near, else nothing.

    Example:
        >>> nearest("exampels", ["examples", "schema"])
        " Did you mean 'examples'?"
    """
    near = closest(name, known)
    return "" if near is None else f" Did you mean {near!r}?"


def did_you_mean(name: str, known: Iterable[str]) -> str:
    """Return ` Did you mean 'x'?` with the nearest of the known names, or all of them.

    Example:
        >>> did_you_mean("exampels", ["examples", "schema"])
        " Did you mean 'examples'?"
        >>> did_you_mean("model", ["examples", "schema"])
        " Expected one of: 'examples', 'schema'."
    """
    names = sorted(known)
    near = nearest(name, names)
    if near:
        return near
    if not names:
        return " There are none."
    listed = ", ".join(repr(each) for each in names[:_LISTED])
    more = f" and {len(names) - _LISTED} more" if len(names) > _LISTED else ""
    return f" Expected{' one of' if len(names) > 1 else ''}: {listed}{more}."


def names_its_arguments(cls: _Class) -> _Class:
    """Let a class answer an unknown keyword with the nearest one that it takes; a decorator.

    Raises:
        TypeError: From the constructor, as Python does, but `TrainArgs takes no argument 'steps'. Did
            you mean 'num_steps'?`.
    """
    owner: Any = cls
    original = owner.__init__
    takes = [
        name
        for name, each in inspect.signature(original).parameters.items()
        if each.kind in (each.POSITIONAL_OR_KEYWORD, each.KEYWORD_ONLY) and name != "self"
    ]

    @functools.wraps(original)
    def construct(self: Any, /, *positional: Any, **given: Any) -> None:
        for name in given:
            if name not in takes:
                raise TypeError(
                    f"{type(self).__name__} takes no argument {name!r}.{did_you_mean(name, takes)}"
                )
        original(self, *positional, **given)

    owner.__init__ = construct
    return cls
