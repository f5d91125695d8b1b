"""Engines: they run the data work of a component on this machine or on Beam, with the same methods.

Both engines drive the same kernels and give equal results; a component asks for one and does not
know which one it got.
"""

from __future__ import annotations

from penstock.engines.protocol import Circumstances, Engine, RowSource

__all__ = ["Circumstances", "Engine", "RowSource", "engine_of"]


def engine_of(context: Circumstances) -> Engine:
    """Return the engine that an execution's `beam_pipeline_args` select.

    Args:
        context: The context of the execution. No runner, and Beam's DirectRunner, mean this
            machine.

    Raises:
        ValueError: If the arguments name a runner that gives wrong results.

    Example:
        for split, statistics in engine_of(context).statistics(splits, options, uri):
            ...
    """
    from penstock.beam.pipeline_options import runs_locally

    if runs_locally(context.beam_pipeline_args):
        from penstock.engines.local import LocalEngine

        return LocalEngine()
    from penstock.engines.on_beam import BeamEngine

    return BeamEngine.of(context)
