"""The runners that there are, by name."""

from __future__ import annotations

import importlib.metadata
from collections.abc import Mapping
from typing import cast

from penstock.dsl.exceptions import DefinitionError
from penstock.dsl.references import resolve
from penstock.runners.protocol import Abilities, Runner
from penstock.spelling import did_you_mean

_OWN = {
    "local": "penstock.runners.local.runner:LocalDagRunner",
    "kubeflow": "penstock.runners.kubeflow.runner:KubeflowDagRunner",
}
GROUP = "penstock.runners"
"""Entry points of this group add runners: `name = "package.module:Class"`."""


def runner_names(*abilities: str) -> list[str]:
    """Return the names of the runners that have all of these abilities (fields of `Abilities`)."""
    return [
        name
        for name in known_runners()
        if all(getattr(runner_class(name).ABILITIES, each) for each in abilities)
    ]


def known_runners() -> Mapping[str, str]:
    """Return name to `module:Class` of Penstock's runners and of those that others have installed."""
    others = {each.name: each.value for each in importlib.metadata.entry_points(group=GROUP)}
    return {**others, **_OWN}


def runner_class(name: str) -> type[Runner]:
    """Return a runner's class; its module is imported, but nothing that it runs on.

    Raises:
        DefinitionError: If no runner has that name, or the object installed under it is not a
            runner.

    Example:
        >>> runner_class("kubeflow").ABILITIES.compiles
        True
    """
    known = known_runners()
    if name not in known:
        raise DefinitionError(f"There is no runner {name!r}.{did_you_mean(name, known)}")
    found = resolve(known[name])
    if not isinstance(getattr(found, "ABILITIES", None), Abilities):
        raise DefinitionError(
            f"The entry point {name!r} of {GROUP} names {known[name]}, which is not a runner: it "
            "has no ABILITIES."
        )
    return cast("type[Runner]", found)
