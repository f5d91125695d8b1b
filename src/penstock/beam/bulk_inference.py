"""Bulk inference on Beam: each worker predicts whole files, as this machine does."""

from __future__ import annotations

import functools
from collections.abc import Sequence
from typing import TYPE_CHECKING

import apache_beam as beam

from penstock.beam.exchange import Exchange
from penstock.beam.pipeline_options import BeamSetup
from penstock.bulk_inference.inference import counted, prepared, shards_of
from penstock.bulk_inference.plan import InferencePlan
from penstock.bulk_inference.shards import forget_model, infer_shard

if TYPE_CHECKING:
    from penstock.io import ExamplesSplit


def infer_on_beam(
    engine: BeamSetup, splits: Sequence[ExamplesSplit], plan: InferencePlan, uri: str
) -> dict[str, int]:
    """Predict the rows of splits; see `penstock.bulk_inference.infer`.

    Args:
        engine: Where to run.
        splits: The splits; every worker must reach their files.
        plan: What to infer; every worker must reach the model.
        uri: The folder to write to; every worker must reach it.

    Returns:
        The rows of each split.
    """
    engine.check_reachable([uri, plan.model, *(file for each in splits for file in each.files)])
    plan = prepared(splits, plan)
    shards = shards_of(splits, plan, uri)
    try:
        with Exchange(uri) as exchange:
            with engine.pipeline() as pipeline:
                _ = (
                    pipeline
                    | "Shards" >> beam.Create(shards)
                    | "Spread" >> beam.Reshuffle()
                    | "Infer" >> beam.Map(functools.partial(infer_shard, plan))
                    | "Count" >> beam.CombinePerKey(sum)
                    | "Rows" >> beam.combiners.ToDict()
                    | "Name" >> beam.Map(lambda rows: ("rows", rows))
                    | "Keep" >> exchange.keep()
                )
            rows: dict[str, int] = exchange.read("rows", {})
    finally:
        forget_model()  # where the workers are threads of this process
    return counted(splits, list(rows.items()), plan, uri)
