"""Saying that a component works in its own process, whatever Beam runner was named."""

from __future__ import annotations

from penstock.dsl import ExecutionContext


def note_local_driver(context: ExecutionContext) -> None:
    """Logs a warning if `beam_pipeline_args` name a runner that this component does not use."""
    from penstock.beam import runner_name, runs_locally

    args = context.beam_pipeline_args
    if not runs_locally(args):
        context.log.warning(
            "%s runs in this process: --runner=%s is not used by it",
            context.node_id,
            runner_name(args),
        )
