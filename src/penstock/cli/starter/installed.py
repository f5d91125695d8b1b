"""How Penstock was installed, so that a new project asks for the same one.

The record is `direct_url.json` beside the installed metadata, as PEP 610 defines it:
https://packaging.python.org/en/latest/specifications/direct-url/
"""

from __future__ import annotations

import dataclasses
import importlib.metadata
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit
from urllib.request import url2pathname

import penstock
from penstock.installation import DISTRIBUTION, requirement


@dataclasses.dataclass(frozen=True, slots=True)
class Installed:
    """Where another environment gets the same Penstock from.

    Attributes:
        requirement: The requirement that a project states, with the extra `run`.
        folder: The local folder that it was installed from; None where it came from elsewhere.
        editable: Whether that folder is used in place.
    """

    requirement: str
    folder: str | None = None
    editable: bool = False


def installed_penstock() -> Installed:
    """Return how the Penstock that is running was installed."""
    try:
        distribution = importlib.metadata.distribution(DISTRIBUTION)
    except importlib.metadata.PackageNotFoundError:
        return _found_on_path(Path(penstock.__file__).resolve())
    record = distribution.read_text("direct_url.json")
    return pinned(distribution.version, json.loads(record) if record else None)


def pinned(version: str, direct_url: Mapping[str, Any] | None) -> Installed:
    """Return what a project asks for, to get a distribution that was installed so.

    Args:
        version: The installed version.
        direct_url: The content of `direct_url.json`; None if it came from an index.

    Example:
        >>> pinned("0.1.0", None).requirement
        'penstock-ml[run]==0.1.0'
    """
    name = requirement("run")
    if direct_url is None:
        return Installed(f"{name}=={version}")
    url = str(direct_url["url"])
    fragments = []
    if "vcs_info" in direct_url:
        vcs = direct_url["vcs_info"]
        # The branch or tag that was asked for may move; the commit does not.
        url = f"{vcs['vcs']}+{url}@{vcs['commit_id']}"
    elif "archive_info" in direct_url:
        fragments += _hash(direct_url["archive_info"])
    if directory := direct_url.get("subdirectory"):
        fragments.append(f"subdirectory={directory}")
    if fragments:
        url += "#" + "&".join(fragments)
    if "dir_info" not in direct_url:
        return Installed(f"{name} @ {url}")
    folder = url2pathname(unquote(urlsplit(url).path))
    return Installed(f"{name} @ {url}", folder, bool(direct_url["dir_info"].get("editable")))


def _hash(archive: Mapping[str, Any]) -> list[str]:
    """Return the archive's hash as a URL's fragment: `hashes`, else the older `hash`."""
    hashes = archive.get("hashes") or {}
    if "sha256" in hashes:
        return [f"sha256={hashes['sha256']}"]
    if hashes:
        return ["=".join(next(iter(hashes.items())))]
    return [str(archive["hash"])] if archive.get("hash") else []


def _found_on_path(module: Path) -> Installed:
    """Return the source tree that a Penstock lies in which is imported without being installed."""
    for folder in module.parents:
        project = folder / "pyproject.toml"
        if project.is_file() and f'name = "{DISTRIBUTION}"' in project.read_text("utf-8"):
            return Installed(f"{requirement('run')} @ {folder.as_uri()}", str(folder), True)
    return Installed(requirement("run"))
