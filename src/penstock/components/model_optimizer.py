"""ModelOptimizer: makes a model smaller, and measures what that gains and costs."""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from penstock.artifacts import (
    ComparisonBlessing,
    Examples,
    Model,
    OptimizationReport,
    TransformGraph,
    location,
)
from penstock.baseline_comparison.metric_directions import is_known, metric_names, ranked
from penstock.dsl import Component, ExecutionContext, Input, ModuleFile, Output, output
from penstock.model_optimization.techniques import Distillation, Pruning, Quantization
from penstock.spelling import did_you_mean

if TYPE_CHECKING:
    from penstock.model_optimization.callers import Caller
    from penstock.model_optimization.model_rows import Rows
    from penstock.model_optimization.report import Measured


class ModelOptimizer(Component):
    """Quantizes, prunes or distils a model, and measures its size, latency and metric beside the original.

    It starts from the model's `.keras` file, which `export_model` writes. A quantized model is a TFLite
    file and no SavedModel, and is measured beside the same file with 32 bits. A pruned
    model and a student are exported as the Trainer exports: by the module's
    `export_fn(model, serving_model_dir, transform_graph_path)`; they are measured beside the original as
    Keras models without an optimizer's state. Whatever is measured takes turns. The node succeeds also
    if a bound is not kept: its blessing says so. To quantize a pruned model, let one ModelOptimizer
    follow the other.

    Args:
        model: The original.
        examples: Rows with the model's own inputs: with a Transform its transformed examples. They are read
            into memory.
        label_key: The feature that is right: the index of a class, or a value.
        metric: What is measured: `accuracy`, `balanced_accuracy`, `f1`, `log_loss`, `auc`,
            `average_precision` of classes, or `mae`, `rmse`, `mape`, `r2`, `poisson_deviance` of values.
        technique: `Quantization(...)`, `Pruning(...)` or `Distillation(...)` of
            `penstock.model_optimization`.
        module_file: The file that defines `export_fn`, and `student_fn(teacher)` for a distillation; it
            also registers Keras objects of your own.
        transform_graph: Handed to `export_fn`.
        eval_split: The rows that both models are measured on.
        max_size_ratio: How large the file may be, beside the original's; of a pruned model, both
            compressed by gzip. None: not judged.
        max_latency_ratio: How long the median request of one row may take, beside the original's.
        max_metric_loss: How much worse the metric may be, as a difference.
        batch_size: Rows of a batch whose latency is measured.
        requests: How many requests of one row, and of a batch, are measured of each model.

    Outputs:
        optimized_model: The optimized model: `Format-TFLite/` if it is quantized, else what `export_fn`
            wrote.
        report: A JSON value: both models' numbers, the three ratios and their bounds; with pictures.
        blessing: An empty file `COMPARISON_BLESSED` or `COMPARISON_NOT_BLESSED`, for
            `Pusher(blessings=[...])`.

    Example:
        ModelOptimizer(
            model=trainer.outputs["model"],
            examples=transform.outputs["transformed_examples"],
            label_key="species_xf",
            metric="accuracy",
            technique=Quantization("int8"),
            eval_split="test",
            max_size_ratio=0.6,
            max_metric_loss=0.02,
        )
    """

    LIBRARIES: ClassVar = ("tensorflow", "keras", "numpy", "matplotlib")
    USES_TENSORFLOW: ClassVar = True

    model: Input[Model]
    examples: Input[Examples]
    label_key: str
    metric: str
    technique: Quantization | Pruning | Distillation
    module_file: ModuleFile = ""
    transform_graph: Input[TransformGraph] | None = None
    eval_split: str = "eval"
    max_size_ratio: float | None = 1.0
    max_latency_ratio: float | None = None
    max_metric_loss: float | None = 0.01
    batch_size: int = 32
    requests: int = 200
    optimized_model: Output[Model] = output()
    report: Output[OptimizationReport] = output()
    blessing: Output[ComparisonBlessing] = output()

    def check(self) -> None:
        """Check the metric, the bounds and what the technique needs."""
        if not is_known(self.metric) or ranked(self.metric):
            raise ValueError(
                f"ModelOptimizer knows no metric {self.metric!r} of classes or values."
                f"{did_you_mean(self.metric, metric_names())}"
            )
        bounds = (self.max_size_ratio, self.max_latency_ratio, self.max_metric_loss)
        if all(bound is None for bound in bounds):
            raise ValueError(
                "Nothing is judged: give max_size_ratio, max_latency_ratio or max_metric_loss."
            )
        if any(bound is not None and bound <= 0 for bound in bounds[:2]):
            raise ValueError("max_size_ratio and max_latency_ratio must be above 0.")
        if self.batch_size < 1 or self.requests < 1:
            raise ValueError("batch_size and requests must be 1 or more.")
        technique = self.technique
        if isinstance(technique, Quantization):
            if self.transform_graph is not None:
                raise ValueError(
                    "transform_graph is for export_fn, after a pruning or a distillation. A quantized "
                    "model is a TFLite file, which takes the model's own inputs."
                )
            return
        if not self.module_file:
            raise ValueError(
                f"{type(technique).__name__} needs a module_file with "
                "export_fn(model, serving_model_dir, transform_graph_path), which exports the new model."
            )
        if technique.train_split == self.eval_split:
            raise ValueError(
                "The model is measured on rows that it did not learn from. Received: train_split and "
                f"eval_split are both {self.eval_split!r}"
            )

    def run(self, context: ExecutionContext) -> None:
        """Optimize the model, measure both, and write the model, the report and the blessing."""
        import keras

        from penstock.training.export.model import without_warnings

        module = context.load_module(self.module_file) if self.module_file else None
        with tempfile.TemporaryDirectory() as folder, without_warnings():
            original = keras.saving.load_model(self._keras_file(Path(folder)))
            if len(original.outputs) != 1:
                raise ValueError(
                    f"ModelOptimizer takes models of one output. Received: {len(original.outputs)} outputs"
                )
            if isinstance(self.technique, Quantization):
                callers, details = self._quantized(original, Path(folder))
            else:
                callers, details = self._trained(original, module, Path(folder))
            measured = self._measure(original, callers)
        self._judge(context, measured, details)

    def _keras_file(self, folder: Path) -> str:
        """Return a local copy of the model's `.keras` file."""
        file = f"{self.model.uri.rstrip('/')}/{Model.KERAS_FOLDER}/model.keras"
        if not location.exists(file):
            raise FileNotFoundError(
                f"There is no {file}. ModelOptimizer starts from the .keras file: export_model(..., "
                'forms=["keras"]) writes it, as it does by default.'
            )
        copy = folder / "given.keras"
        copy.write_bytes(location.read_bytes(file))
        return str(copy)

    def _rows(self, model: Any, split: str) -> Rows:
        from penstock.io import ExamplesSplit
        from penstock.model_optimization.model_rows import read_rows

        return read_rows(model, ExamplesSplit.of(self.examples, split), self.label_key)

    def _quantized(
        self, original: Any, folder: Path
    ) -> tuple[tuple[Caller, Caller], dict[str, Any]]:
        from penstock.model_optimization.callers import write_lite
        from penstock.training.export.forms import TFLite

        technique = self.technique
        assert isinstance(technique, Quantization)
        data = None
        if technique.measures_ranges:
            inputs, _ = self._rows(original, technique.representative_split or "")
            data = {name: each[: technique.representative_rows] for name, each in inputs.items()}
        form = TFLite(technique.mode, representative_data=data)  # type: ignore[arg-type]
        file = Path(self.optimized_model.uri, form.folder, form.file_name)
        plain = write_lite(original, TFLite(), folder / "model.tflite")
        return (plain, write_lite(original, form, file)), {"mode": technique.mode}

    def _trained(
        self, original: Any, module: Any, folder: Path
    ) -> tuple[tuple[Caller, Caller], dict[str, Any]]:
        from penstock.baseline_comparison.metric_directions import CLASS_METRICS
        from penstock.model_optimization.callers import KerasCaller
        from penstock.model_optimization.distilling import distill
        from penstock.model_optimization.pruning import prune

        export = self._function(module, "export_fn")
        technique = self.technique
        assert not isinstance(technique, Quantization)
        before = KerasCaller(original, folder / "original.keras")
        rows = self._rows(original, technique.train_split)
        if isinstance(technique, Pruning):
            model = original
            details: dict[str, Any] = {"sparsity": prune(model, rows, technique)}
        else:
            model = self._function(module, technique.student_fn)(original)
            distill(original, model, rows, technique, classes=self.metric in CLASS_METRICS)
            details = {
                "parameters": {"teacher": original.count_params(), "student": model.count_params()}
            }
        graph = None if self.transform_graph is None else self.transform_graph.uri
        export(model, f"{self.optimized_model.uri}/{Model.SERVING_FOLDER}", graph)
        if not Path(self.optimized_model.serving_uri).exists():
            raise ValueError(f"export_fn of {self.module_file} wrote nothing to serving_model_dir.")
        return (before, KerasCaller(model, folder / "optimized.keras")), details

    def _function(self, module: Any, name: str) -> Callable[..., Any]:
        found = getattr(module, name, None)
        if not callable(found):
            functions = [each for each, value in vars(module).items() if callable(value)]
            raise ValueError(
                f"{self.module_file} defines no function {name!r}.{did_you_mean(name, functions)}"
            )
        function: Callable[..., Any] = found
        return function

    def _measure(
        self, original: Any, callers: tuple[Caller, Caller]
    ) -> tuple[Measured, Measured, int]:
        from penstock.model_optimization.callers import predict, sizes
        from penstock.model_optimization.latency import measure_in_turn
        from penstock.model_optimization.report import Measured
        from penstock.model_optimization.scores import score

        inputs, labels = self._rows(original, self.eval_split)
        one = measure_in_turn(callers, inputs, 1, self.requests)
        batch = measure_in_turn(callers, inputs, self.batch_size, self.requests)
        found = [
            Measured(
                *sizes(caller.file),
                (one[i].median, one[i].p99),
                (batch[i].median, batch[i].p99),
                score(self.metric, labels, predict(caller, inputs)),
            )
            for i, caller in enumerate(callers)
        ]
        return found[0], found[1], len(labels)

    def _judge(
        self,
        context: ExecutionContext,
        measured: tuple[Measured, Measured, int],
        details: dict[str, Any],
    ) -> None:
        from penstock.baseline_comparison.metric_directions import lower_is_better
        from penstock.model_optimization.pictures import draw
        from penstock.model_optimization.report import judge, verdict

        original, optimized, rows = measured
        judged = judge(
            original,
            optimized,
            compressed=isinstance(self.technique, Pruning),
            lower_is_better=lower_is_better(self.metric),
            bounds={
                "size ratio": self.max_size_ratio,
                "latency ratio": self.max_latency_ratio,
                "metric loss": self.max_metric_loss,
            },
        )
        ok = all(each.ok for each in judged)
        value = {
            "technique": type(self.technique).__name__,
            "details": details,
            "metric": self.metric,
            "rows": rows,
            "batch_size": self.batch_size,
            "requests": self.requests,
            "original": original.to_json(),
            "optimized": optimized.to_json(),
            "judged": [each.to_json() for each in judged],
            "ok": ok,
        }
        self.report.value = value
        draw(value, Path(self.report.value_uri).parent / "pictures")
        reasons = (each.sentence() for each in judged if not each.ok)
        self.blessing.write(ok, self.optimized_model, reasons)
        context.report_metrics({each.name.replace(" ", "_"): each.value for each in judged})
        context.report_verdict(verdict(judged), ok=ok)
