"""BulkInferrer: predicts the rows of Examples."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import ClassVar

from penstock.artifacts import Examples, InferenceResult, Model, ModelBlessing
from penstock.artifacts.standard import DEFAULT_FILE_FORMAT
from penstock.bulk_inference.specs import DataSpec, ModelSpec, OutputExampleSpec
from penstock.components.example_gen import OUTPUT_FILE_FORMATS
from penstock.components.example_sources import source_splits
from penstock.dsl import Component, ExecutionContext, Input, Output, output
from penstock.spelling import counted, did_you_mean


class BulkInferrer(Component):
    """Predicts every row of `examples` with a model, if the model is blessed.

    Rows stay in order: each file of rows becomes one file of predictions. With a model that is not blessed
    nothing is inferred: the node succeeds, and its output says why in the property
    `not_inferred_because`.

    Args:
        examples: The rows; of several artifacts, equal splits are written as one.
        model: The model.
        model_blessing: The Evaluator's verdict; without it, the model is used unchecked.
        data_spec: Which splits to infer; all by default.
        model_spec: Which signatures to call; `serving_default` by default.
        output_example_spec: Asks for `output_examples` instead of `inference_result`, and names the columns
            for the predictions.
        output_file_format: How `output_examples` are stored: "tfrecords_gzip" or "parquet".
        batch_size: The most rows that the model gets at once.
        batch_bytes: The most serialized bytes that it gets at once, unless a single row has more.

    Outputs:
        inference_result: `prediction_logs-*.gz`, TFRecords of TensorFlow Serving's PredictionLogs.
        output_examples: The rows with their predictions as further features, in place of
            `inference_result`.

    Example:
        BulkInferrer(
            examples=unlabelled.outputs["examples"],
            model=trainer.outputs["model"],
            model_blessing=evaluator.outputs["blessing"],
        )
    """

    TYPE_NAME: ClassVar = "tfx.components.bulk_inferrer.component.BulkInferrer"
    LIBRARIES: ClassVar = ("tensorflow", "tfx-bsl", "pyarrow")
    USES_TENSORFLOW: ClassVar = True
    USES_SEED: ClassVar = False
    READS_URLS: ClassVar = True

    examples: Input[Examples | list[Examples]]
    model: Input[Model]
    model_blessing: Input[ModelBlessing] | None = None
    data_spec: DataSpec | None = None
    model_spec: ModelSpec | None = None
    output_example_spec: OutputExampleSpec | None = None
    output_file_format: str = DEFAULT_FILE_FORMAT
    batch_size: int = 8192
    batch_bytes: int = 32 << 20
    inference_result: Output[InferenceResult] = output(optional=True)
    output_examples: Output[Examples] = output(optional=True)

    def check(self) -> None:
        """Check that each signature has its columns, the file format, and the bounds."""
        signatures = (self.model_spec or ModelSpec()).signatures
        if self.output_example_spec is not None:
            self.output_example_spec.by_signature(signatures)
        if self.output_file_format not in OUTPUT_FILE_FORMATS:
            raise ValueError(
                f"output_file_format must be one of {list(OUTPUT_FILE_FORMATS)}. "
                f"Received: {self.output_file_format!r}"
            )
        if self.output_example_spec is None and self.output_file_format != DEFAULT_FILE_FORMAT:
            raise ValueError(
                f"output_file_format={self.output_file_format!r} has no effect without "
                "output_example_spec: PredictionLogs are TFRecords. Name the columns in "
                "output_example_spec, or leave it out."
            )
        for name in ("batch_size", "batch_bytes"):
            if getattr(self, name) < 1:
                raise ValueError(f"{name} must be 1 or more. Received: {getattr(self, name)}")

    def active_outputs(self) -> Sequence[str]:
        """Return the output that `output_example_spec` asks for."""
        return ["inference_result"] if self.output_example_spec is None else ["output_examples"]

    def run(self, context: ExecutionContext) -> None:
        """Predict the rows, or report why not."""
        from penstock.bulk_inference import InferencePlan
        from penstock.engines import engine_of

        target = self.output_examples or self.inference_result
        sources = self.examples if isinstance(self.examples, list) else [self.examples]
        names = self._splits(sources)
        if self.output_examples is not None:
            self.output_examples.splits = names
            self.output_examples.file_format = self.output_file_format
            self.output_examples.properties["span"] = sources[0].custom_properties.get("span") or 0
        if self.model_blessing is not None and not self.model_blessing.blessed:
            reasons = self.model_blessing.custom_properties.get("reasons") or []
            why = ": ".join(
                ["The model is not blessed", *(["; ".join(reasons)] if reasons else [])]
            )
            target.custom_properties["not_inferred_because"] = why
            if self.output_examples is not None:
                self.output_examples.splits = []
            context.report_verdict("nothing inferred: the model is not blessed", ok=False)
            context.log.warning("Nothing inferred: %s", why)
            return
        plan = InferencePlan(
            self.model.serving_uri,
            self.model_spec or ModelSpec(),
            self.output_example_spec,
            self.output_file_format,
            self.batch_size,
            self.batch_bytes,
        )
        started = time.perf_counter()
        rows = engine_of(context).infer(source_splits(sources, names), plan, target.uri)
        seconds = max(time.perf_counter() - started, 1e-9)
        total = sum(rows.values())
        for split, count in rows.items():
            context.log.info("Split %s: %d rows inferred", split, count)
        context.log.info("%d rows in %.1f s, %.0f a second", total, seconds, total / seconds)
        context.report_metrics({f"rows/{split}": count for split, count in rows.items()})
        context.report_verdict(f"{counted(total, 'row')} inferred", ok=True)

    def _splits(self, sources: Sequence[Examples]) -> list[str]:
        available = list(dict.fromkeys(name for each in sources for name in each.splits))
        names = list((self.data_spec or DataSpec()).example_splits) or available
        for name in names:
            for source in sources:
                if name not in source.splits:
                    raise ValueError(
                        f"The examples at {source.uri} have no split {name!r}."
                        f"{did_you_mean(name, source.splits)}"
                    )
        return names
