"""Evaluator: evaluates a model by slice, and blesses it or not."""

from __future__ import annotations

import functools
from collections.abc import Sequence
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any, ClassVar

from penstock.artifacts import Examples, Model, ModelBlessing, ModelEvaluation, Schema
from penstock.artifacts.standard import DEFAULT_PAYLOAD_FORMAT
from penstock.dsl import Component, ExecutionContext, Input, ModuleFile, Output, output
from penstock.evaluation.checks.config_problems import refuse_problems
from penstock.evaluation.checks.worst_rows_options import check_worst_rows
from penstock.evaluation.config import as_eval_config
from penstock.evaluation.keys import BASELINE
from penstock.evaluation.metrics.modules import is_built_in
from penstock.evaluation.resolve import baseline_names
from penstock.evaluation.verdict import VERDICT_PROPERTY

if TYPE_CHECKING:
    from penstock.evaluation.worst_rows import WorstRowsRequest

_BASELINE_INPUTS = ("baseline_model", "second_baseline_model", "third_baseline_model")
_TFX_FUNCTIONS = ("custom_eval_shared_model", "custom_extractors")


class Evaluator(Component):
    """Computes metrics by slice and checks them against thresholds.

    The model is blessed when each threshold of the `eval_config` holds: bounds on a value, and
    bounds on the change from the baseline. On a first run there is no baseline, so changes are not
    checked.

    A metric's `threshold` applies to every slice that is evaluated, however small, as in TFMA; one in
    `per_slice_thresholds` applies to the slices of its own `slicing_specs` only. So
    `slicing_specs=[SlicingSpec()]` there means the whole data set alone.

    Args:
        examples: Raw examples; the model's signature applies the transform graph.
        model: The model to evaluate. Without one, predictions are columns of the examples, which
            `ModelSpec.prediction_key` names.
        baseline_model: The model to compare with, usually the latest blessed one.
        second_baseline_model: Another one, such as the model that serves now. The baselines are the
            ModelSpecs with `is_baseline` in their order, or else `baseline`, `baseline_2`, `baseline_3`.
            A change threshold must hold for each that there is.
        third_baseline_model: Another one.
        schema: The examples' schema; with it, less data is read and misspelled features are
            reported earlier.
        eval_config: What to compute: an `EvalConfig`, TFMA's own, a dict, or text.
        example_splits: The splits to evaluate on; `eval` when empty.
        module_file: A file with your own metrics, as an alternative to a dotted name: a
            `MetricConfig.module` may then be the file's bare name, as in TFX.
        worst_rows: How many of the rows with the largest errors to keep with their ids and predictions,
            for each model and output. By default the evaluation holds no single row.
        id_key: The feature that says which row it is; needed by `worst_rows`. Features that the schema
            tags as `PII` are never kept.

    Outputs:
        evaluation: TFMA's files, `threshold_checks.json` with each check as data, `worst_rows.json` if
            they were asked for, and in `pictures/` the confusion matrix and the ROC curve if the
            `eval_config` has their plots.
        blessing: An empty file `BLESSED` or `NOT_BLESSED`. Its custom properties `reasons` and, as data,
            `verdict` say why.

    Example:
        Evaluator(
            examples=example_gen.outputs["examples"],
            model=trainer.outputs["model"],
            eval_config=EvalConfig(...),
            example_splits=["test"],
        )
    """

    TYPE_NAME: ClassVar = "tfx.components.evaluator.component.Evaluator"
    TYPE_ANNOTATION: ClassVar = "mlmd.Evaluate"
    LIBRARIES: ClassVar = ("tensorflow", "keras", "tfx-bsl")
    USES_TENSORFLOW: ClassVar = True
    USES_SEED: ClassVar = False

    examples: Input[Examples]
    model: Input[Model] | None = None
    baseline_model: Input[Model] | None = None
    second_baseline_model: Input[Model] | None = None
    third_baseline_model: Input[Model] | None = None
    schema: Input[Schema] | None = None
    eval_config: Any
    example_splits: Sequence[str] = ()
    module_file: ModuleFile | None = None
    worst_rows: int = 0
    id_key: str = ""
    evaluation: Output[ModelEvaluation] = output()
    blessing: Output[ModelBlessing] = output()

    def check(self) -> None:
        """Check that the EvalConfig is valid and that each of its fields has an effect."""
        self.eval_config = as_eval_config(self.eval_config)
        refuse_problems(self.eval_config)
        check_worst_rows(self.worst_rows, self.id_key)
        self._check_baselines()
        if self.model is None:
            self._check_columns()

    def _check_columns(self) -> None:
        """Check that the EvalConfig says where the predictions are, if there is no model."""
        if self.baseline_model is not None:
            raise ValueError(
                "baseline_model is given without model. Give both; or none, and name the columns of the "
                "predictions in ModelSpec.prediction_key, those of the baseline in a ModelSpec with "
                "is_baseline=True."
            )
        specs = self.eval_config.model_specs
        if not specs or not all(spec.prediction_key or spec.prediction_keys for spec in specs):
            raise ValueError(
                "Without model=..., predictions are columns of the examples: name the column in "
                "ModelSpec.prediction_key."
            )

    def run(self, context: ExecutionContext) -> None:
        """Evaluate the model, and write the results and the blessing."""
        from penstock.cards.evaluation_pictures import write_evaluation_pictures
        from penstock.data_validation import load_schema_text
        from penstock.engines import engine_of
        from penstock.evaluation import evaluate, summary, write_evaluation
        from penstock.evaluation.class_names import write_class_names
        from penstock.io import ExamplesSplit

        splits = list(self.example_splits) or ["eval"]
        read = [
            ExamplesSplit.of(self.examples, split).with_payload(DEFAULT_PAYLOAD_FORMAT, "Evaluator")
            for split in splits
        ]
        schema = load_schema_text(self.schema.file) if self.schema else None
        evaluation = evaluate(
            [file for split in read for file in split.files],
            model=self.model.eval_uri if self.model else None,
            eval_config=self.eval_config,
            baseline=self._baselines(),
            schema=schema,
            file_format=self.examples.file_format,
            modules=self._modules(context),
            worst_rows=self._worst_rows(schema),
            accumulate=functools.partial(
                engine_of(context).accumulate, exchange_folder=self.evaluation.uri
            ),
        )
        for name in evaluation.empty_slices:
            context.log.warning("No example is in the slices %s of slicing_specs.", name)
        write_evaluation(evaluation, self.evaluation.uri)
        if class_names := self._class_names():
            write_class_names(class_names, self.evaluation.uri)
        try:
            write_evaluation_pictures(self.evaluation.uri)
        except ModuleNotFoundError as error:
            context.log.info("%s", error)
        validation = evaluation.validation
        properties: dict[str, Any] = {VERDICT_PROPERTY: validation.verdict()}
        for name in _BASELINE_INPUTS:
            if (baseline := getattr(self, name)) is not None:
                properties[name] = baseline.uri
                properties[f"{name}_id"] = baseline.id or 0
        self.blessing.write(validation.ok, self.model, validation.reasons(), **properties)
        self.evaluation.custom_properties[VERDICT_PROPERTY] = validation.verdict()
        context.report_metrics(evaluation.metrics())
        line = summary(validation.ok, validation.reasons())
        context.report_verdict(line, ok=validation.ok)
        context.log.info("%s", line)
        for failure in validation.failures()[1:]:
            context.log.info("  %s", failure)

    def _baseline_names(self) -> list[str]:
        """Return the names of the baselines, in the order of the inputs."""
        if len(self.eval_config.model_specs) > 1:
            return baseline_names(self.eval_config)
        return [BASELINE, f"{BASELINE}_2", f"{BASELINE}_3"]

    def _check_baselines(self) -> None:
        names = self._baseline_names()
        for i, given in enumerate(_BASELINE_INPUTS):
            if getattr(self, given) is not None and i and i >= len(names):
                raise ValueError(
                    f"{given} needs a ModelSpec with is_baseline=True of its own. The eval_config has "
                    f"{len(names)}: {', '.join(names) or 'none'}"
                )
        if len(names) > len(_BASELINE_INPUTS):
            raise ValueError(
                f"The Evaluator has inputs for {len(_BASELINE_INPUTS)} baselines. The eval_config has "
                f"{len(names)}: {', '.join(names)}"
            )

    def _baselines(self) -> str | dict[str, str] | None:
        """Return the baselines' folders, by name where there may be several."""
        names = self._baseline_names()
        given = [getattr(self, name) for name in _BASELINE_INPUTS]
        if (len(self.eval_config.model_specs) > 1 and len(names) > 1) or any(given[1:]):
            return {n: m.eval_uri for n, m in zip(names, given, strict=False) if m is not None}
        return None if given[0] is None else str(given[0].eval_uri)

    def _class_names(self) -> Sequence[str]:
        """Return what the model calls its classes, or the vocabulary that its label is an index of."""
        from penstock.serving import read_labels

        if self.model is None:
            return ()
        labels = read_labels(self.model.eval_uri)
        keys = {spec.label_key for spec in self.eval_config.model_specs}
        if not labels.class_names and len(keys) == 1 and keys <= set(labels.vocabularies):
            return labels.vocabulary(keys.pop())
        return labels.class_names

    def _worst_rows(self, schema: Any) -> WorstRowsRequest | None:
        from penstock.evaluation.worst_rows import WorstRowsRequest
        from penstock.io import personal_features

        if not self.worst_rows:
            return None
        sliced_by = [
            name
            for spec in self.eval_config.slicing_specs
            for name in (*spec.feature_keys, *sorted(spec.feature_values))
        ]
        return WorstRowsRequest(
            self.worst_rows, self.id_key, sliced_by, hidden=personal_features(schema)
        )

    def _modules(self, context: ExecutionContext) -> dict[str, ModuleType]:
        """Return the user's modules by their names in the EvalConfig."""
        found: dict[str, ModuleType] = {}
        if self.module_file is not None:
            module = context.load_module(self.module_file)
            self._check_tfx_functions(module, context)
            found = {module.__name__: module, Path(self.module_file).stem: module}
        for spec in self.eval_config.metrics_specs:
            for metric in spec.metrics:
                # In a notebook a metric may be a class of a cell.
                known = (*found, "__main__", "")
                if metric.module not in known and not is_built_in(metric):
                    found[metric.module] = context.load_module(metric.module)
        return found

    def _check_tfx_functions(self, module: ModuleType, context: ExecutionContext) -> None:
        """Say what becomes of the functions with which TFX has TFMA load and ask a model."""
        from penstock.serving.estimator import is_estimator

        names = [name for name in _TFX_FUNCTIONS if hasattr(module, name)]
        if not names:
            return
        if self.model is not None and is_estimator(self.model.eval_uri):
            context.log.info(
                "%s defines %s, by which TFX has TFMA load a pickled estimator. It is loaded without them.",
                self.module_file,
                " and ".join(names),
            )
            return
        raise ValueError(
            f"{self.module_file} defines {names[0]}, which TFX hands to TFMA's Beam pipeline. It is needed "
            "for a pickled estimator only, which Penstock loads by itself. Remove it, and name your own "
            "metrics in MetricConfig.module."
        )
