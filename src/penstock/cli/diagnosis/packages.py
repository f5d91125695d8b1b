"""Python, and the packages that Penstock's own metadata asks for."""

from __future__ import annotations

import importlib.metadata
import importlib.util
import os
import platform
import re
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence

from penstock.cli.diagnosis.finding import Diagnosis
from penstock.installation import DISTRIBUTION, install_command

_REQUIREMENT = re.compile(
    r"^([A-Za-z0-9][A-Za-z0-9._-]*)(\[[^\]]*\])?\s*\(?([^;)]*)\)?\s*(?:;\s*(.*))?$"
)
_EXTRA = re.compile(r"extra\s*==\s*['\"]([^'\"]+)['\"]")
_CLAUSE = re.compile(r"^(>=|<=|==|!=|~=|>|<)\s*([0-9A-Za-z.*+!-]+)$")


def check_python() -> Iterator[Diagnosis]:
    """Yield diagnoses of the interpreter."""
    version = sys.version_info
    text = f"{platform.python_version()} ({sys.executable})"
    if (3, 11) <= version < (3, 14):
        yield Diagnosis("good", "Python", text)
    else:
        yield Diagnosis("problem", "Python", text, "use Python 3.11, 3.12 or 3.13")
    if sys.prefix == sys.base_prefix:
        yield Diagnosis(
            "warning",
            "environment",
            f"not a virtual environment ({sys.prefix})",
            "make one (python -m venv .venv), so that other programs' packages stay out",
        )


def check_packages(
    requirements: Iterable[str] | None = None, installed: Mapping[str, str] | None = None
) -> Iterator[Diagnosis]:
    """Yield, for the base install and each extra, packages that are missing or have a wrong version.

    Args:
        requirements: Lines of `Requires-Dist`; those of the installed Penstock by default.
        installed: Version by distribution; asked of the environment by default.
    """
    if requirements is None:
        try:
            requirements = importlib.metadata.requires(DISTRIBUTION) or ()
        except importlib.metadata.PackageNotFoundError:
            yield Diagnosis(
                "warning", "packages", "Penstock is on the import path but not installed",
                "install it: pip install -e .",
            )  # fmt: skip
            return
    groups: dict[str, list[tuple[str, str]]] = {}
    for line in requirements:
        match = _REQUIREMENT.match(line)
        if match is None:
            continue
        name, _, bounds, marker = match.groups()
        extra = _EXTRA.search(marker or "")
        groups.setdefault(extra[1] if extra else "", []).append((name, bounds.strip()))
    for group, members in groups.items():
        yield from _check_group(group, members, installed)


def _check_group(
    extra: str, members: Sequence[tuple[str, str]], installed: Mapping[str, str] | None
) -> Iterator[Diagnosis]:
    topic = f"packages [{extra}]" if extra else "packages"
    extras = (extra,) if extra else ()
    install = install_command(*extras)
    there: list[str] = []
    missing: list[str] = []
    wrong: list[str] = []
    for name, bounds in members:
        version = _version(name, installed)
        if version is None:
            missing.append(name)
        elif not fits(version, bounds):
            wrong.append(f"{name} {version} (expected {bounds})")
        else:
            there.append(f"{name} {version}")
    if wrong:
        yield Diagnosis("problem", topic, ", ".join(wrong), install_command(*extras, upgrade=True))
    if missing and (there or wrong or not extra):
        level = "problem" if not extra or extra == "run" else "warning"
        text = f"{', '.join(missing)} missing"
        yield Diagnosis(level, topic, text, install)  # type: ignore[arg-type]
    elif missing:
        needed = "what executes pipelines; " if extra == "run" else ""
        yield Diagnosis(
            "warning" if extra == "run" else "good",
            topic,
            f"not installed ({needed}{', '.join(missing)})",
            install if extra == "run" else "",
        )
    if there and not missing and not wrong:
        yield Diagnosis("good", topic, ", ".join(there))


def _version(name: str, installed: Mapping[str, str] | None) -> str | None:
    if installed is not None:
        return installed.get(name)
    try:
        return importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
        return None


def fits(version: str, bounds: str) -> bool:
    """Return whether a version lies within bounds as `Requires-Dist` writes them.

    Pre-releases count as the release that they precede.

    Example:
        >>> fits("2.21.0", ">=2.21,<2.22"), fits("2.22.0", ">=2.21,<2.22"), fits("16.1", "<16")
        (True, False, False)
    """
    have = _numbers(version)
    for clause in filter(None, (each.strip() for each in bounds.split(","))):
        match = _CLAUSE.match(clause)
        if match is None:
            continue
        operator, text = match.groups()
        want = _numbers(text)
        size = max(len(have), len(want))
        left, right = have + (0,) * (size - len(have)), want + (0,) * (size - len(want))
        prefix = text.endswith(".*") or operator == "~="
        same = have[: len(want) - (operator == "~=")] == want[: len(want) - (operator == "~=")]
        good = {
            ">=": left >= right,
            "<=": left <= right,
            ">": left > right,
            "<": left < right,
            "==": same if prefix else left == right,
            "!=": not same if prefix else left != right,
            "~=": left >= right and same,
        }[operator]
        if not good:
            return False
    return True


def _numbers(version: str) -> tuple[int, ...]:
    release = re.match(r"v?(?:\d+!)?(\d+(?:\.\d+)*)", version)
    return tuple(int(each) for each in release[1].split(".")) if release else ()


def check_byte_code() -> Iterator[Diagnosis]:
    """Yield a warning if imports are slow because byte code is neither there nor written."""
    advice = (
        "unset PYTHONDONTWRITEBYTECODE and run `python -m compileall -q` over site-packages once "
        "(or install with pip's default --compile)"
    )
    never = sys.dont_write_bytecode or bool(os.environ.get("PYTHONDONTWRITEBYTECODE"))
    spec = importlib.util.find_spec("tensorflow")
    lacks = False
    if spec is not None and spec.origin is not None:
        folder = os.path.dirname(spec.origin)
        lacks = not _has_byte_code(os.path.join(folder, "python", "framework"))
        writable = os.access(folder, os.W_OK)
        if lacks and (never or not writable):
            why = "PYTHONDONTWRITEBYTECODE is set" if never else "its folder is not writable"
            yield Diagnosis(
                "warning",
                "byte code",
                f"TensorFlow has no byte code and Python will not write any ({why}): every process that "
                "imports it takes several times as long",
                advice,
            )
            return
    if never:
        yield Diagnosis(
            "warning" if lacks else "good",
            "byte code",
            "PYTHONDONTWRITEBYTECODE is set: changed modules are compiled anew in every process",
            "" if not lacks else advice,
        )
    else:
        yield Diagnosis("good", "byte code", "written when modules are imported")


def _has_byte_code(folder: str) -> bool:
    cache = os.path.join(folder, "__pycache__")
    tag = f"{sys.implementation.cache_tag}.pyc"
    try:
        return any(name.endswith(tag) for name in os.listdir(cache))
    except OSError:
        return False
