"""A runner with the settings that a pipeline file has for it and those that were typed."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from penstock.cli.errors import UsageError
from penstock.cli.pipeline_file import PipelineFile
from penstock.runners.protocol import Runner
from penstock.runners.registry import runner_class


def runner_of(loaded: PipelineFile, name: str, options: Mapping[str, str] | None = None) -> Runner:
    """Return a runner, set up by the file and by options.

    Args:
        loaded: The pipeline file.
        name: The runner's name.
        options: Values as typed, of options in the runner's `OPTIONS`.

    Raises:
        UsageError: If the runner has no such option, or the file has several settings for it.
    """
    runner_type = runner_class(name)
    given = dict(options or {})
    unknown = sorted(set(given) - set(runner_type.OPTIONS))
    if unknown:
        raise UsageError(f"The runner {name} has no option --{unknown[0].replace('_', '-')}.")
    kind = getattr(runner_type, "CONFIG", None)
    if kind is None:
        return runner_type.from_options(given)
    configured: Any = runner_type
    runner: Runner = configured.from_options(given, settings_in(loaded, kind, f"{name}_config"))
    return runner


def settings_in(loaded: PipelineFile, kind: type, name: str) -> Any:
    """Return the object of a class that a pipeline file defines, or None.

    Args:
        loaded: The pipeline file.
        kind: The class.
        name: Which of several counts.

    Raises:
        UsageError: If there are several, and none of that name.
    """
    named = {key: each for key, each in vars(loaded.module).items() if isinstance(each, kind)}
    if len(named) > 1 and name not in named:
        raise UsageError(
            f"{loaded.shown} has several {kind.__name__}s: {', '.join(named)}. Name the one to use "
            f"`{name}`."
        )
    return named.get(name) or next(iter(named.values()), None)
