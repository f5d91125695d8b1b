"""TensorFlow Transform's analyzers on Beam: for what the local driver does not know."""

from __future__ import annotations

import dataclasses
import logging
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from penstock.beam.pipeline_options import make_pipeline

_LOG = logging.getLogger(__name__)


@dataclasses.dataclass(frozen=True)
class AnalyzeOnBeam:
    """Runs a `preprocessing_fn`'s analyzers with `tft_beam.AnalyzeDataset`.

    It is what `penstock.transform.transform(fallback=...)` takes.

    Args:
        beam_pipeline_args: arguments for Beam, e.g. `("--runner=FlinkRunner",)`. Without a runner, or
            with the DirectRunner, the pipeline runs in memory.
    """

    beam_pipeline_args: Sequence[str] = ()

    def __call__(
        self,
        *,
        preprocessing_fn: Callable[[Mapping[str, Any]], dict[str, Any]],
        tensor_adapter_config: Any,
        shards: Mapping[str, Any],
        read: Callable[[Any], Any],
        directory: str,
        temp_dir: str,
        force_tf_compat_v1: bool = False,
    ) -> None:
        """Analyzes data and writes the transform graph.

        Args:
            preprocessing_fn: from raw to transformed features.
            tensor_adapter_config: how batches become tensors (`tfx_bsl`'s `TensorAdapterConfig`).
            shards: what to analyze, by name; each value is what `read` takes.
            read: yields the RecordBatches of one value of `shards`; must be picklable.
            directory: where `transform_fn/` and `transformed_metadata/` are written.
            temp_dir: scratch space that every worker can reach.
            force_tf_compat_v1: trace as a TensorFlow 1 graph.
        """
        import apache_beam as beam
        import tensorflow_transform.beam as tft_beam

        # Each phase reads the data anew: FnApiRunner cannot order the stages of three phases that
        # share one reader ("watermark-pending bundles did not execute").
        context = tft_beam.Context(
            temp_dir=temp_dir,
            force_tf_compat_v1=force_tf_compat_v1,
            use_deep_copy_optimization=True,
        )
        with make_pipeline(self.beam_pipeline_args) as pipeline, context:
            _LOG.info("Analyzing on Beam's %s", type(pipeline.runner).__name__)
            batches = (
                pipeline
                | "Shards" >> beam.Create(list(shards.values()))
                | "Redistribute" >> beam.Reshuffle()
                | "Read" >> beam.FlatMap(read)
            )
            transform_fn = (
                batches,
                tensor_adapter_config,
            ) | "Analyze" >> tft_beam.AnalyzeDataset(preprocessing_fn)
            _ = transform_fn | "Write" >> tft_beam.WriteTransformFn(directory)
