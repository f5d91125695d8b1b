"""Explaining what exists where expected files are missing."""

import re

from penstock.io.files.filesystem import join, list_directory
from penstock.spelling import nearest

_LISTED = 10
_WILD = re.compile(r"[*?\[{]")


def explain_missing(base: str, pattern: str) -> str:
    """Return what exists along the path to files that were not found.

    Args:
        base: A folder, a local path or an fsspec URL.
        pattern: The pattern below it; its folders are followed up to the first wildcard or
            placeholder.

    Example:
        >>> explain_missing("data", "trian/*.csv")
        "data/trian does not exist. Did you mean 'train'?"
    """
    # The neighbours of a bucket are not looked at.
    root = re.match(r"\w+:///+|\w+://[^/]*/?|/+|", base)
    assert root is not None
    folder = root[0] or "."
    parts = [part for part in base[root.end() :].split("/") if part not in ("", ".")]
    wanted = _WILD.split(pattern, maxsplit=1)[0].split("/")
    for part in [*parts, *[part for part in wanted[:-1] if part]]:
        names = list_directory(folder)
        below = _below(folder, part)
        if part not in names and part != "..":
            return f"{below} does not exist.{nearest(part, names) or ' ' + _contents(folder)}"
        folder = below
    # The last part of a pattern without wildcards is a file's name.
    near = nearest(wanted[-1], list_directory(folder)) if pattern.endswith(wanted[-1]) else ""
    return _contents(folder) + near


def _below(folder: str, part: str) -> str:
    if folder == ".":
        return part
    return folder + part if folder.endswith("/") else join(folder, part)


def _contents(folder: str) -> str:
    names = list_directory(folder)
    if not names:
        return f"{folder} is empty, or not a folder."
    shown = [name for name in names if name[0] not in "._"]
    if not shown:
        return (
            f"In {folder}: {', '.join(names[:_LISTED])}. Files whose names start with . or _ are not "
            f"read as data."
        )
    more = f" and {len(shown) - _LISTED} more" if len(shown) > _LISTED else ""
    return f"In {folder}: {', '.join(shown[:_LISTED])}{more}."
