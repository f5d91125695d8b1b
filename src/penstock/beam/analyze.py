"""TensorFlow Transform's analyzers on Beam: for what the local driver does not know."""

from __future__ import annotations

import dataclasses
import logging
import uuid
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from penstock.beam.pipeline_options import Engine

_LOG = logging.getLogger(__name__)


@dataclasses.dataclass(frozen=True)
class AnalyzeOnBeam:
    """Runs a `preprocessing_fn`'s analyzers with `tft_beam.AnalyzeDataset`.

    It is what `penstock.transform.transform(fallback=...)` takes.

    Args:
        beam_pipeline_args: arguments for Beam, e.g. `("--runner=FlinkRunner",)`. Without a runner, or
            with the DirectRunner, the pipeline runs in memory.
        project_root: folder of the user's code; it travels to workers that are not this process.
        labels: what the job is called and, on Dataflow, labelled with.
    """

    beam_pipeline_args: Sequence[str] = ()
    project_root: str | None = None
    labels: Mapping[str, str] = dataclasses.field(default_factory=dict)

    @classmethod
    def on(cls, engine: Engine) -> AnalyzeOnBeam:
        """Analyzes where an engine runs."""
        return cls(engine.beam_pipeline_args, engine.project_root, engine.labels)

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
            temp_dir: scratch space of this machine; where workers are elsewhere, Beam's
                `--temp_location` is used instead.
            force_tf_compat_v1: trace as a TensorFlow 1 graph.
        """
        import apache_beam as beam
        import tensorflow_transform.beam as tft_beam

        from penstock.beam.transform_examples import split_by_file

        engine = Engine(self.beam_pipeline_args, self.project_root, temp_dir, self.labels)
        listed = [one for each in shards.values() for one in split_by_file(each)]
        engine.check_reachable([directory, *(file for one in listed for file in one.files)])
        pipeline = engine.pipeline()
        # Each phase reads the data anew: FnApiRunner cannot order the stages of three phases that
        # share one reader ("watermark-pending bundles did not execute").
        context = tft_beam.Context(
            temp_dir=shared_scratch(pipeline.options) or temp_dir,
            force_tf_compat_v1=force_tf_compat_v1,
            use_deep_copy_optimization=True,
        )
        with pipeline, context:
            _LOG.info("Analyzing on Beam's %s", type(pipeline.runner).__name__)
            batches = (
                pipeline
                | "Shards" >> beam.Create(listed)
                | "Redistribute" >> beam.Reshuffle()
                | "Read" >> beam.FlatMap(read)
            )
            transform_fn = (
                batches,
                tensor_adapter_config,
            ) | "Analyze" >> tft_beam.AnalyzeDataset(preprocessing_fn)
            _ = transform_fn | "Write" >> tft_beam.WriteTransformFn(directory)


def shared_scratch(options: Any) -> str | None:
    """A new folder below Beam's `--temp_location`; None if there is no such option."""
    from apache_beam.options.pipeline_options import GoogleCloudOptions

    base = options.view_as(GoogleCloudOptions).temp_location
    return f"{base.rstrip('/')}/penstock-transform-{uuid.uuid4().hex}" if base else None
