"""Transform: feature engineering that is shipped inside the serving graph."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, ClassVar

from penstock.artifacts import (
    ExampleAnomalies,
    Examples,
    ExampleStatistics,
    Schema,
    TransformCache,
    TransformGraph,
)
from penstock.artifacts.standard import DEFAULT_FILE_FORMAT
from penstock.components.example_gen import OUTPUT_FILE_FORMATS
from penstock.components.example_sources import source_splits, splits_to_use
from penstock.components.named_function import as_function
from penstock.components.transform_statistics import (
    SCHEMA_FILE,
    StatsType,
    TransformStatistics,
)
from penstock.dsl import (
    Component,
    ExecutionContext,
    Input,
    ModuleFile,
    Output,
    output,
)
from penstock.transform import SplitsConfig

if TYPE_CHECKING:
    from tensorflow_metadata.proto.v0 import schema_pb2

__all__ = ["StatsType", "Transform"]

STATISTICS_FILE = "FeatureStats.pb"
ANOMALIES_FILE = "SchemaDiff.pb"

_STATISTICS = (
    "pre_transform_schema",
    "pre_transform_stats",
    "post_transform_schema",
    "post_transform_stats",
    "post_transform_anomalies",
)


class Transform(Component):
    """Runs a `preprocessing_fn` of TensorFlow Transform over `examples`.

    Args:
        examples: The raw rows; several artifacts (such as the spans of a rolling window) are read
            as one.
        schema: The examples' schema.
        analyzer_cache: The `updated_analyzer_cache` of an earlier run; data that it covers is not
            analyzed again.
        module_file: User code with `preprocessing_fn(inputs[, custom_config])` and, optionally,
            `stats_options_updater_fn(stats_type, stats_options)`: a path or a dotted name.
        preprocessing_fn: The function itself, or its dotted name `"package.module.function"`, instead
            of `module_file`.
        splits_config: Which splits are analyzed and transformed; by default `train` is analyzed and
            every split is transformed.
        materialize: Whether to write the transformed examples.
        output_file_format: How they are stored: "tfrecords_gzip", or "parquet", from which a Trainer
            reads several times faster, and without TensorFlow.
        disable_analyzer_cache: Whether to neither read nor write accumulators.
        force_tf_compat_v1: Trace as a TensorFlow 1 graph (on Beam).
        custom_config: Passed to `preprocessing_fn`; empty if none is given.
        disable_statistics: Whether to leave out the statistics of the rows before and after.
        stats_options_updater_fn: Changes the options of the statistics, as a function or a dotted
            name; only together with `preprocessing_fn`.

    Outputs:
        transform_graph: `transform_fn/`, `metadata/` and `transformed_metadata/`, for
            `tft.TFTransformOutput`.
        transformed_examples: The transformed rows; absent with `materialize=False`.
        updated_analyzer_cache: What the analyzers computed, for the next span; absent with
            `disable_analyzer_cache=True`.
        pre_transform_schema: Schema of the analyzed rows; it and the four below are absent with
            `disable_statistics=True`.
        pre_transform_stats: Statistics of the analyzed rows.
        post_transform_schema: Schema of the transformed rows.
        post_transform_stats: Statistics of the transformed rows.
        post_transform_anomalies: Anomalies of the transformed rows.

    Example:
        Transform(examples=example_gen.outputs["examples"], schema=schema_gen.outputs["schema"],
                  module_file="modules/penguin.py")
    """

    TYPE_NAME: ClassVar = "tfx.components.transform.component.Transform"
    TYPE_ANNOTATION: ClassVar = "mlmd.Transform"
    LIBRARIES: ClassVar = ("tensorflow", "tensorflow-transform", "tfx-bsl", "pyarrow")
    MODULE_FUNCTIONS: ClassVar = ("preprocessing_fn", "stats_options_updater_fn")
    USES_TENSORFLOW: ClassVar = True
    WARM_IMPORTS: ClassVar = (
        "penstock.transform:import_tensorflow_transform",
        "penstock.transform.analysis",
        "penstock.transform.export",
        "penstock.transform.transformed_examples",
        "penstock.data_validation",
        "penstock.data_validation.statistics.generate",
        "penstock.io.examples.reader",
        "penstock.io.examples.writer",
    )

    DESCRIBES: ClassVar = {
        "pre_transform_stats": "examples",
        "post_transform_stats": "transformed_examples",
    }

    examples: Input[Examples | list[Examples]]
    schema: Input[Schema]
    analyzer_cache: Input[TransformCache] | None = None
    module_file: ModuleFile | None = None
    preprocessing_fn: Callable[..., Any] | str | None = None
    splits_config: SplitsConfig | None = None
    materialize: bool = True
    output_file_format: str = DEFAULT_FILE_FORMAT
    disable_analyzer_cache: bool = False
    force_tf_compat_v1: bool = False
    custom_config: Mapping[str, Any] | None = None
    disable_statistics: bool = False
    stats_options_updater_fn: Callable[..., Any] | str | None = None
    transform_graph: Output[TransformGraph] = output()
    transformed_examples: Output[Examples] = output(optional=True)
    updated_analyzer_cache: Output[TransformCache] = output(optional=True)
    pre_transform_schema: Output[Schema] = output(optional=True)
    pre_transform_stats: Output[ExampleStatistics] = output(optional=True)
    post_transform_schema: Output[Schema] = output(optional=True)
    post_transform_stats: Output[ExampleStatistics] = output(optional=True)
    post_transform_anomalies: Output[ExampleAnomalies] = output(optional=True)

    def check(self) -> None:
        """Check that there is one source of user code, and that a given cache is used."""
        self.preprocessing_fn = as_function("preprocessing_fn", self.preprocessing_fn)
        self.stats_options_updater_fn = as_function(
            "stats_options_updater_fn", self.stats_options_updater_fn
        )
        if (self.module_file is None) == (self.preprocessing_fn is None):
            raise ValueError(
                "Transform takes exactly one of module_file and preprocessing_fn. Received: "
                f"module_file={self.module_file!r}, preprocessing_fn={self.preprocessing_fn!r}"
            )
        if self.module_file is not None and self.stats_options_updater_fn is not None:
            raise ValueError(
                "With module_file, define stats_options_updater_fn in that file instead of giving "
                f"it. Received: stats_options_updater_fn={self.stats_options_updater_fn!r}"
            )
        if self.output_file_format not in OUTPUT_FILE_FORMATS:
            raise ValueError(
                f"output_file_format must be one of {list(OUTPUT_FILE_FORMATS)}. "
                f"Received: {self.output_file_format!r}"
            )
        if self.materialize is False and self.output_file_format != DEFAULT_FILE_FORMAT:
            raise ValueError(
                f"output_file_format={self.output_file_format!r} has no effect with materialize=False: "
                "no examples are written. Leave one of them out."
            )
        if self.disable_analyzer_cache and self.analyzer_cache is not None:
            raise ValueError(
                "analyzer_cache is given, but disable_analyzer_cache=True. Leave one of them out."
            )

    def active_outputs(self) -> Sequence[str]:
        """Return the outputs that the parameters ask for."""
        absent: set[str] = set()
        if self.materialize is False:
            absent.add("transformed_examples")
        if self.disable_analyzer_cache is True:
            absent.add("updated_analyzer_cache")
        if self.disable_statistics is True:
            absent.update(_STATISTICS)
        return [key for key in super().active_outputs() if key not in absent]

    def run(self, context: ExecutionContext) -> None:
        """Analyze, write the transform graph, transform, and compute the statistics."""
        from penstock.data_validation import load_schema_text
        from penstock.engines import engine_of
        from penstock.transform import TransformFolders

        preprocessing_fn, updater = self._user_code(context)
        schema = load_schema_text(f"{self.schema.uri}/{SCHEMA_FILE}")
        sources = self.examples if isinstance(self.examples, list) else [self.examples]
        splits = splits_to_use(sources, self.splits_config)
        before = after = None
        if not self.disable_statistics:
            before = TransformStatistics(StatsType.PRE_TRANSFORM, self.schema.uri, updater)
            after = TransformStatistics(
                StatsType.POST_TRANSFORM,
                f"{self.transform_graph.uri}/transformed_metadata",
                updater,
            )
        result = engine_of(context).transform(
            preprocessing_fn,
            schema,
            analyze=source_splits(sources, splits.analyze),
            transform=source_splits(sources, splits.transform),
            folders=TransformFolders(
                self.transform_graph.uri,
                _uri(self.transformed_examples),
                [self.analyzer_cache.uri] if self.analyzer_cache else [],
                _uri(self.updated_analyzer_cache),
                context.working_dir,
                self.output_file_format,
            ),
            custom_config=self.custom_config,
            before=before,
            after=after,
            force_tf_compat_v1=self.force_tf_compat_v1,
        )
        for kind, counts in (
            ("analyzed", result.rows_analyzed),
            ("transformed", result.rows_transformed),
        ):
            for split, rows in counts.items():
                context.log.info("Split %s: %d rows %s", split, rows, kind)
        if self.transformed_examples is not None:
            self.transformed_examples.splits = list(splits.transform)
            if self.output_file_format != DEFAULT_FILE_FORMAT:
                self.transformed_examples.file_format = self.output_file_format
        if before is not None and after is not None:
            self._write_statistics(schema, before, result.transformed_schema, after)

    def _user_code(
        self, context: ExecutionContext
    ) -> tuple[Callable[..., Any], Callable[..., Any] | None]:
        from penstock.transform import import_tensorflow_transform

        if self.module_file is None:
            function, updater = self.preprocessing_fn, self.stats_options_updater_fn
            assert callable(function)
            assert updater is None or callable(updater)
            return function, updater
        import_tensorflow_transform()
        module = context.load_module(self.module_file)
        function = getattr(module, "preprocessing_fn", None)
        if function is None:
            raise AttributeError(
                f"{self.module_file} defines no preprocessing_fn. Define "
                "`def preprocessing_fn(inputs):` there."
            )
        return function, getattr(module, "stats_options_updater_fn", None)

    def _write_statistics(
        self,
        raw_schema: schema_pb2.Schema,
        before: TransformStatistics,
        transformed_schema: schema_pb2.Schema,
        after: TransformStatistics,
    ) -> None:
        from penstock.data_validation import (
            validate_statistics,
            write_anomalies_binary,
            write_schema_text,
            write_stats_binary,
        )

        write_schema_text(raw_schema, f"{self.pre_transform_schema.uri}/{SCHEMA_FILE}")
        write_schema_text(transformed_schema, f"{self.post_transform_schema.uri}/{SCHEMA_FILE}")
        write_stats_binary(before.result(), f"{self.pre_transform_stats.uri}/{STATISTICS_FILE}")
        statistics = after.result()
        write_stats_binary(statistics, f"{self.post_transform_stats.uri}/{STATISTICS_FILE}")
        anomalies = validate_statistics(statistics, transformed_schema)
        write_anomalies_binary(anomalies, f"{self.post_transform_anomalies.uri}/{ANOMALIES_FILE}")


def _uri(artifact: Any) -> str | None:
    return None if artifact is None else artifact.uri
