"""The nearest right name, for messages about a name that is wrong."""

from __future__ import annotations

import difflib
from collections.abc import Iterable

_LISTED = 30


def closest(name: str, known: Iterable[str]) -> str | None:
    """Return the known name that is nearest, or None if none is near.

    Upper and lower case count as the same.

    Example:
        >>> closest("exampels", ["examples", "schema"]), closest("auc", ["AUC"]), closest("x", ["AUC"])
        ('examples', 'AUC', None)
    """
    by_folded = {each.casefold(): each for each in known}
    near = difflib.get_close_matches(name.casefold(), by_folded, n=1, cutoff=0.6)
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
