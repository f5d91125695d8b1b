"""Where a run's numbers come from: the code's commit and the environment."""

from __future__ import annotations

import hashlib
import json
import os
import platform
import subprocess
import sys
from typing import Any


def code_version(project_root: str) -> tuple[str | None, bool | None]:
    """Return (git commit, whether the working tree differs from it); (None, None) outside git."""
    command = ["git", "-C", project_root, "status", "--porcelain=v2", "--branch"]
    try:
        shown = subprocess.run(command, capture_output=True, text=True, timeout=20, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return None, None
    if shown.returncode:
        return None, None
    commit: str | None = None
    dirty = False
    for line in shown.stdout.splitlines():
        if line.startswith("# branch.oid "):
            commit = line.removeprefix("# branch.oid ")
        elif not line.startswith("#"):
            dirty = True
    return (None if commit == "(initial)" else commit), dirty


def version_text(commit: str | None, dirty: bool | None) -> str:
    """Return a version of the code as text: the commit, with `+` for changes; empty outside git."""
    return f"{commit}{'+' if dirty else ''}" if commit else ""


def environment() -> tuple[str, dict[str, Any]]:
    """Return (fingerprint, description): Python, platform, and every installed distribution.

    The fingerprint is the SHA-256 of the description's JSON form, 16 hex digits.
    """
    packages: dict[str, str] = {}
    for folder in sys.path:
        for name in _distributions(folder):
            stem = name.removesuffix(".dist-info")
            package, _, version = stem.rpartition("-")
            packages.setdefault(package.replace("_", "-").lower(), version)
    description = {
        "python": platform.python_version(),
        "platform": f"{platform.system()}-{platform.machine()}",
        "packages": dict(sorted(packages.items())),
    }
    text = json.dumps(description, sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()[:16], description


def _distributions(folder: str) -> list[str]:
    """Return the metadata folders in a folder of the import path; reads no file of them."""
    try:
        return [name for name in os.listdir(folder or ".") if name.endswith(".dist-info")]
    except OSError:
        return []
