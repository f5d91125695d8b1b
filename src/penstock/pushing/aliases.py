"""Aliases of versions, such as `champion`, and how they changed.

They are in the file `penstock_aliases.json` beside the versions, which is replaced in one step:

    {"format": 1, "aliases": {"champion": 7},
     "history": [{"alias": "champion", "from": 6, "to": 7, "at": "2026-11-21T09:30:00Z", "by": "ada"}]}
"""

from __future__ import annotations

import contextlib
import datetime
import fcntl
import getpass
import json
import os
import re
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from penstock.artifacts.location import is_local, local_path, read_bytes, write_bytes
from penstock.io.files.filesystem import join
from penstock.pushing.write_errors import not_allowed
from penstock.serving.saved_model import ModelError
from penstock.serving.versions import list_versions
from penstock.spelling import did_you_mean

ALIASES = "penstock_aliases.json"
FORMAT = 1
_KEPT_CHANGES = 1000
# MLflow's rule, so that aliases can go to its registry.
_NAME = re.compile(r"[\w-]{1,255}", re.ASCII)
_RESERVED = re.compile(r"latest|v[0-9]+|[0-9]+", re.IGNORECASE)


class UnknownVersion(ValueError):
    """A destination has no such version or alias."""


@dataclass(frozen=True)
class AliasChange:
    """One change of an alias.

    Args:
        alias: The alias.
        before: The version that it named; None if it was new.
        after: The version that it names since; None if it was removed.
        at: When, in UTC, as "2026-11-21T09:30:00Z".
        by: Who: the user's name on the machine, or what the caller gave.
    """

    alias: str
    before: int | None
    after: int | None
    at: str
    by: str

    def plain(self) -> dict[str, Any]:
        """Return it as JSON has it."""
        versions = {"from": self.before, "to": self.after}
        return {"alias": self.alias, **versions, "at": self.at, "by": self.by}


def read_aliases(destination: str) -> dict[str, int]:
    """Return the version of each alias of a destination, sorted by name.

    Args:
        destination: The folder of versions; a path or an fsspec URL.

    Raises:
        ModelError: If the file of aliases is damaged.

    Example:
        >>> read_aliases("serving/taxi")
        {'champion': 7}
    """
    return _read(destination)[0]


def alias_history(destination: str, alias: str | None = None) -> list[AliasChange]:
    """Return how aliases changed, the oldest change first.

    Args:
        destination: The folder of versions.
        alias: Only the changes of this one.
    """
    return [each for each in _read(destination)[1] if alias in (None, each.alias)]


def earlier_versions(destination: str, alias: str) -> list[int]:
    """Return the versions that an alias named before, the last one first: where a rollback goes.

    Going back to an earlier version takes the changes since back: after 5, 6, 7, 6 the one before is 5.

    Example:
        >>> earlier_versions("serving/taxi", "champion")
        [6, 5]
    """
    named: list[int] = []
    for change in alias_history(destination, alias):
        if change.after is None:
            named = []
        elif change.after in named:
            named = named[: named.index(change.after) + 1]
        else:
            named.append(change.after)
    return named[-2::-1]


def set_alias(destination: str, name: str, version: int, *, by: str | None = None) -> int | None:
    """Let an alias name a version, and return the version that it named before.

    Args:
        destination: The folder of versions; a path or an fsspec URL.
        name: The alias: letters, digits, `_` and `-`.
        version: A version that is there.
        by: Who changes it; the user's name on this machine by default.

    Raises:
        UnknownVersion: If the destination has no such version.
        ValueError: If the name is no alias.

    Example:
        >>> set_alias("serving/taxi", "champion", 7)
        6
    """
    check_alias(name)
    check_version(destination, version)
    with locked(destination), not_allowed(destination, "Aliases cannot be changed here"):
        check_version(destination, version)  # retention may have removed it
        aliases, history = _read(destination)
        before = aliases.get(name)
        if before != version:
            history.append(_change(name, before, version, by))
            _write(destination, {**aliases, name: version}, history)
    return before


def remove_alias(destination: str, name: str, *, by: str | None = None) -> int:
    """Remove an alias, and return the version that it named.

    Raises:
        UnknownVersion: If there is no such alias.
    """
    with locked(destination), not_allowed(destination, "Aliases cannot be changed here"):
        aliases, history = _read(destination)
        if name not in aliases:
            raise UnknownVersion(
                f"{destination} has no alias {name!r}.{did_you_mean(name, aliases)}"
            )
        before = aliases.pop(name)
        _write(destination, aliases, [*history, _change(name, before, None, by)])
    return before


def planned_change(
    destination: str, alias: str, version: int | None, by: str | None = None
) -> AliasChange:
    """Return the change that naming a version, or None, would be; nothing is changed."""
    return _change(alias, read_aliases(destination).get(alias), version, by)


def check_version(destination: str, version: int) -> None:
    """Raise UnknownVersion unless a destination has a version."""
    there = list_versions(destination)
    if version not in there:
        raise UnknownVersion(
            f"{destination} has no version {version!r}. Versions: {', '.join(map(str, there)) or 'none'}"
        )


def check_alias(name: str) -> None:
    """Raise ValueError unless a name may be an alias."""
    if not _NAME.fullmatch(name):
        raise ValueError(
            f"An alias consists of up to 255 letters, digits, '_' and '-'. Received: alias={name!r}"
        )
    if _RESERVED.fullmatch(name):
        raise ValueError(
            f"An alias is not a number, 'latest', or 'v' and a number. Received: alias={name!r}"
        )


def _read(destination: str) -> tuple[dict[str, int], list[AliasChange]]:
    path = join(destination, ALIASES)
    try:
        content = json.loads(read_bytes(path))
        if content["format"] != FORMAT:
            raise ModelError(
                f"{path} has the format {content['format']}, written by a newer Penstock. This one reads "
                f"format {FORMAT}."
            )
        aliases = {str(name): int(version) for name, version in content["aliases"].items()}
        history = [
            AliasChange(each["alias"], each["from"], each["to"], each["at"], each["by"])
            for each in content.get("history", [])
        ]
    except (FileNotFoundError, NotADirectoryError):
        return {}, []
    except ModelError:
        raise
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise ModelError(f"{path} is damaged: {type(error).__name__}: {error}") from error
    return dict(sorted(aliases.items())), history


def _write(destination: str, aliases: dict[str, int], history: list[AliasChange]) -> None:
    content = {
        "format": FORMAT,
        "aliases": dict(sorted(aliases.items())),
        "history": [change.plain() for change in history[-_KEPT_CHANGES:]],
    }
    _replace(join(destination, ALIASES), (json.dumps(content, indent=1) + "\n").encode())


def _replace(path: str, data: bytes) -> None:
    """Write a file so that a reader sees the old or the new content; object stores do so themselves."""
    if not is_local(path):
        write_bytes(path, data)
        return
    path = local_path(path)
    folder, name = os.path.split(path)
    descriptor, new = tempfile.mkstemp(prefix=f".{name}-", dir=folder)
    try:
        with open(descriptor, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        os.chmod(new, 0o644)
        os.replace(new, path)
    except BaseException:
        Path(new).unlink(missing_ok=True)
        raise


@contextlib.contextmanager
def locked(destination: str) -> Iterator[None]:
    """Hold the lock on a destination; on an object store there is none, and the last change wins."""
    if not is_local(destination):
        yield
        return
    descriptor = os.open(local_path(destination), os.O_RDONLY)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


def _change(alias: str, before: int | None, after: int | None, by: str | None) -> AliasChange:
    now = datetime.datetime.now(datetime.UTC)
    return AliasChange(alias, before, after, f"{now:%Y-%m-%dT%H:%M:%SZ}", by or _user())


def _user() -> str:
    try:
        return getpass.getuser()
    except (OSError, KeyError):  # a container's user without a name
        return f"uid {os.getuid()}"
