"""TensorFlow Transform's analyzers on Beam: on a cluster, or where the local driver lacks them."""

from __future__ import annotations

import dataclasses
import logging
import uuid
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from penstock.beam.pipeline_options import BeamSetup

if TYPE_CHECKING:
    import apache_beam as beam

    from penstock.transform.analyzer_cache import AnalyzerCache

_LOG = logging.getLogger(__name__)


@dataclasses.dataclass(frozen=True)
class AnalyzeOnBeam:
    """Runs a `preprocessing_fn`'s analyzers with `tft_beam.AnalyzeDataset`.

    It is what `penstock.transform.AnalysisElsewhere` takes.

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
    def on(cls, engine: BeamSetup) -> AnalyzeOnBeam:
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
        cache: AnalyzerCache | None = None,
        data_sets: Mapping[str, str] | None = None,
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
            force_tf_compat_v1: trace as a TensorFlow 1 graph; the cache is left alone then.
            cache: accumulators of earlier runs, and where to keep those of this one.
            data_sets: what the cache calls each of `shards`.
        """
        import tensorflow_transform.beam as tft_beam
        from tensorflow_transform.beam.analysis_graph_builder import get_analysis_dataset_keys
        from tfx_bsl.tfxio.tensor_adapter import TensorAdapter

        from penstock.beam.analyzer_cache import BeamAnalyzerCache
        from penstock.beam.transform_examples import split_by_file

        engine = BeamSetup(self.beam_pipeline_args, self.project_root, temp_dir, self.labels)
        listed = {name: split_by_file(each) for name, each in shards.items()}
        files = [file for each in listed.values() for one in each for file in one.files]
        engine.check_reachable([directory, *files])
        pipeline = engine.pipeline()
        # Each phase reads the data anew: FnApiRunner cannot order the stages of three phases that
        # share one reader ("watermark-pending bundles did not execute").
        context = tft_beam.Context(
            temp_dir=shared_scratch(pipeline.options) or temp_dir,
            force_tf_compat_v1=force_tf_compat_v1,
            use_deep_copy_optimization=True,
        )
        kept = None
        if cache is not None and cache.in_use and data_sets and not force_tf_compat_v1:
            type_specs = TensorAdapter(tensor_adapter_config).OriginalTypeSpecs()
            names = [data_sets[name] for name in listed]
            kept = BeamAnalyzerCache.of(cache, names, preprocessing_fn, type_specs, temp_dir)
        with pipeline, context:
            _LOG.info("Analyzing on Beam's %s", type(pipeline.runner).__name__)
            if kept is None:
                everything = [one for each in listed.values() for one in each]
                transform_fn = (
                    _batches(pipeline, "", everything, read),
                    tensor_adapter_config,
                ) | "Analyze" >> tft_beam.AnalyzeDataset(preprocessing_fn)
            else:
                known = kept.read(pipeline)
                keys = kept.dataset_keys
                needed = get_analysis_dataset_keys(preprocessing_fn, type_specs, keys, known, False)
                batches = {
                    key: _batches(pipeline, f"[{key.key}]", each, read) if key in needed else None
                    for key, each in zip(keys, listed.values(), strict=True)
                }
                analyze = tft_beam.AnalyzeDatasetWithCache(preprocessing_fn, pipeline=pipeline)
                transform_fn, found = (batches, known, tensor_adapter_config) | "Analyze" >> analyze
                kept.write(found)
            _ = transform_fn | "Write" >> tft_beam.WriteTransformFn(directory)
        if kept is not None:
            kept.complete()


def _batches(
    pipeline: Any, name: str, shards: Sequence[Any], read: Callable[[Any], Any]
) -> beam.PCollection:
    import apache_beam as beam

    return (
        pipeline
        | f"Shards{name}" >> beam.Create(list(enumerate(shards)))
        # Spreads them, as Reshuffle would; but a copy of what follows a Reshuffle, such as each phase
        # makes, is more than portable runners can translate.
        | f"Spread{name}" >> beam.GroupByKey()
        | f"Read{name}" >> beam.FlatMap(_read_all, read)
    )


def _read_all(
    numbered: tuple[int, Iterable[Any]], read: Callable[[Any], Iterable[Any]]
) -> Iterator[Any]:
    for shards in numbered[1]:
        yield from read(shards)


def shared_scratch(options: Any) -> str | None:
    """Return a new folder below Beam's `--temp_location`; None if there is no such option."""
    from apache_beam.options.pipeline_options import GoogleCloudOptions

    base = options.view_as(GoogleCloudOptions).temp_location
    return f"{base.rstrip('/')}/penstock-transform-{uuid.uuid4().hex}" if base else None
