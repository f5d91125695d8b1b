"""From `beam_pipeline_args` to a Beam pipeline."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

_LOCAL = {"DirectRunner", "FnApiRunner", "BundleBasedDirectRunner", "SwitchingDirectRunner"}


def runner_name(beam_pipeline_args: Sequence[str]) -> str | None:
    """The runner that the arguments name; None if they name none.

    Args:
        beam_pipeline_args: e.g. `("--runner=DataflowRunner", "--project=p")`, or with the value as an
            argument of its own.

    Raises:
        ValueError: if `--runner` comes last, without a value.
    """
    args = list(beam_pipeline_args)
    found = None
    for position, arg in enumerate(args):
        if arg.startswith("--runner="):
            found = arg.removeprefix("--runner=")
        elif arg == "--runner":
            if position + 1 == len(args):
                raise ValueError(
                    "beam_pipeline_args ends in --runner without a name. Write --runner=NAME. "
                    f"Received: {args}"
                )
            found = args[position + 1]
    return found


def runs_locally(beam_pipeline_args: Sequence[str]) -> bool:
    """Whether the arguments leave the work to this machine: no runner, or the DirectRunner."""
    name = runner_name(beam_pipeline_args)
    return name is None or name in _LOCAL


def make_pipeline(beam_pipeline_args: Sequence[str]) -> Any:
    """A Beam pipeline for the given arguments.

    Without a runner, and for the DirectRunner, it is the in-memory FnApiRunner: Beam's own default
    first tries to download another one from the internet.

    Args:
        beam_pipeline_args: arguments as Beam's command line takes them.

    Raises:
        ModuleNotFoundError: if Beam is not installed.
    """
    try:
        import apache_beam as beam
        from apache_beam.options.pipeline_options import PipelineOptions
        from apache_beam.runners.portability.fn_api_runner import FnApiRunner
    except ModuleNotFoundError as error:
        raise ModuleNotFoundError(
            f"This needs the package {error.name!r}, which is not installed. "
            'Install it with: pip install "penstock[run]"',
            name=error.name,
        ) from error

    options = PipelineOptions(list(beam_pipeline_args))
    runner = FnApiRunner() if runs_locally(beam_pipeline_args) else None
    return beam.Pipeline(runner=runner, options=options)
