"""Where a transform graph comes from: the local driver, or what runs analyzers that it cannot."""

from __future__ import annotations

import dataclasses
import logging
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Protocol

from penstock.io.files.plain_path import plain_path
from penstock.transform.shards import ShardReader, SplitReader

if TYPE_CHECKING:
    from tensorflow_metadata.proto.v0 import schema_pb2

    from penstock.io import ExamplesSplit
    from penstock.transform.analyzer_cache import AnalyzerCache
    from penstock.transform.features import RawFeatures

_LOG = logging.getLogger(__name__)

PreprocessingFn = Callable[[Mapping[str, Any]], dict[str, Any]]
"""From raw to transformed features."""


@dataclasses.dataclass(frozen=True)
class WrittenGraph:
    """A transform graph that has been written, ready to be applied.

    Attributes:
        schema: schema of the transformed features.
        apply: from raw to transformed features of a batch, by name.
        phases: passes over the analyzed data; None where the fallback made them.
    """

    schema: schema_pb2.Schema
    apply: Callable[[Mapping[str, Any]], Mapping[str, Any]]
    phases: int | None


class AnalysisFallback(Protocol):
    """Runs analyzers that the local driver cannot, and writes the transform graph."""

    def __call__(
        self,
        *,
        preprocessing_fn: PreprocessingFn,
        tensor_adapter_config: Any,
        shards: Mapping[str, ExamplesSplit],
        read: ShardReader,
        directory: str,
        temp_dir: str,
        force_tf_compat_v1: bool,
        cache: AnalyzerCache,
        data_sets: Mapping[str, str],
    ) -> None:
        """Write `transform_fn/` and `transformed_metadata/` into `directory`.

        `data_sets` says what the cache calls each of `shards`.
        """


def analyze_locally(
    preprocessing_fn: PreprocessingFn,
    features: RawFeatures,
    data_sets: Sequence[tuple[str, SplitReader]],
    cache: AnalyzerCache,
    directory: str,
    temp_dir: str,
) -> WrittenGraph | None:
    """Run analyzers in this process, and write the transform graph.

    Args:
        preprocessing_fn: from raw to transformed features.
        features: what the schema says.
        data_sets: what is analyzed, each with its name in the cache.
        cache: accumulators of earlier runs, and where to keep those of this one.
        directory: where the graph is written.
        temp_dir: scratch space.

    Returns:
        The graph; None if an analyzer is not known here.
    """
    from penstock.transform import export
    from penstock.transform.analysis import analyze
    from penstock.transform.results import UnsupportedAnalyzerError

    splits = sorted({reader.split for _, reader in data_sets})

    def no_rows() -> bool:
        return all(reader.rows == 0 for _, reader in data_sets)

    try:
        analysis = analyze(preprocessing_fn, features, data_sets, temp_dir, cache)
    except UnsupportedAnalyzerError as error:
        _LOG.warning("Analyzing on Beam: %s.", error)
        return None
    except Exception as error:
        if no_rows():
            error.add_note(
                f"There are no rows to analyze in {splits}, and an analyzer needs at least one."
            )
        raise
    if analysis.phases and no_rows():
        _LOG.warning(
            "There are no rows to analyze in %s: the analyzers have the values that TensorFlow Transform "
            "gives them for no data.",
            splits,
        )
    schema = export.infer_schema(analysis, preprocessing_fn, temp_dir)
    export.write_transform_fn(analysis, directory, temp_dir)
    export.write_transformed_metadata(schema, analysis.asset_names, directory)
    return WrittenGraph(schema, analysis.trace.transform, analysis.phases)


def analyze_elsewhere(
    preprocessing_fn: PreprocessingFn,
    features: RawFeatures,
    data_sets: Sequence[tuple[str, ExamplesSplit]],
    cache: AnalyzerCache,
    directory: str,
    temp_dir: str,
    read: ShardReader,
    fallback: AnalysisFallback,
    force_tf_compat_v1: bool,
) -> WrittenGraph:
    """Has a fallback run the analyzers and write the transform graph.

    Args:
        preprocessing_fn: see `analyze_locally`, as for all up to `temp_dir`.
        features: what the schema says.
        data_sets: what is analyzed, each with its name in the cache.
        cache: accumulators of earlier runs, and where to keep those of this one.
        directory: where the graph is written.
        temp_dir: scratch space.
        read: reads shards; picklable.
        fallback: runs the analyzers.
        force_tf_compat_v1: trace as a TensorFlow 1 graph.
    """
    import tensorflow as tf
    import tensorflow_transform as tft

    fallback(
        preprocessing_fn=preprocessing_fn,
        tensor_adapter_config=features.tensor_adapter_config,
        shards={str(number): shards for number, (_, shards) in enumerate(data_sets)},
        read=read,
        directory=directory,
        temp_dir=temp_dir,
        force_tf_compat_v1=force_tf_compat_v1,
        cache=cache,
        data_sets={str(number): key for number, (key, _) in enumerate(data_sets)},
    )
    output = tft.TFTransformOutput(plain_path(directory))
    signature = dict(features.type_specs)
    apply = tf.function(output.transform_raw_features, input_signature=[signature])
    return WrittenGraph(output.transformed_metadata.schema, apply, None)
