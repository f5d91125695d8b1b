"""Explainer: why a model answers as it does, in pictures and numbers."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, ClassVar, Literal, get_args

from penstock.artifacts import Examples, Explanation, Model
from penstock.dsl import Component, ExecutionContext, Input, ModuleFile, Output, output
from penstock.spelling import did_you_mean

if TYPE_CHECKING:
    import pyarrow as pa

    from penstock.explaining.report import ExplanationReport as Report

Method = Literal["permutation", "shap", "integrated_gradients", "saliency", "grad_cam", "attention"]
_OF_KERAS = ("integrated_gradients", "saliency", "grad_cam", "attention")


class Explainer(Component):
    """Says which features, pixels or tokens a model's answers depend on.

    | method | of | needs |
    | --- | --- | --- |
    | `permutation` | any model: what shuffling a raw feature costs | `label_key`, `metric` |
    | `shap` | any model: what each raw feature adds to a row's score | the extra `shap` |
    | `integrated_gradients` | numbers and embedded tokens: their part of a score | the Keras form |
    | `saliency`, `grad_cam` | images: which pixels, which regions | the Keras form |
    | `attention` | transformers: which place looks at which | the Keras form |

    Args:
        model: The model.
        examples: Raw examples, as the serving signature reads them.
        transformed_examples: What the Keras model itself reads, with a Transform; `examples` by default.
        methods: Which explanations to make.
        label_key: The raw feature that is right, for `permutation`.
        metric: What shuffling costs: `accuracy`, `auc`, `log_loss` of classes; `mae`, `rmse` of values.
        features: The raw features for `permutation` and `shap`; all that the model reads by default.
        split: The rows to explain.
        max_rows: How many rows importances are averaged over, the first ones.
        num_pictures: How many rows have a picture of their own.
        model_output: The output of the Keras model to explain, if it has several.
        prediction_key: The output of the serving signature, if it has several that could be meant.
        target_class: The class to explain; by default the model's own answer in each row, for `shap` the
            one that it gives most often.
        image_key: The input that is an image; by default the only one with height, width and channels.
        layer: The convolution for `grad_cam`; the last one by default.
        module_file: The file that defines the model's layers, if they are not registered with Keras.

    Outputs:
        explanation: `explanation.json`, the pictures as PNG, and `index.html` with all of them.

    Example:
        Explainer(
            model=trainer.outputs["model"],
            examples=example_gen.outputs["examples"],
            transformed_examples=transform.outputs["transformed_examples"],
            methods=["permutation", "integrated_gradients"],
            label_key="species",
        )
    """

    LIBRARIES: ClassVar = ("tensorflow", "keras", "matplotlib")
    USES_TENSORFLOW: ClassVar = True

    model: Input[Model]
    examples: Input[Examples]
    transformed_examples: Input[Examples] | None = None
    methods: Sequence[Method] = ("permutation",)
    label_key: str = ""
    metric: str = "accuracy"
    features: Sequence[str] = ()
    split: str = "eval"
    max_rows: int = 500
    num_pictures: int = 6
    model_output: str = ""
    prediction_key: str = ""
    target_class: int | None = None
    image_key: str = ""
    layer: str = ""
    module_file: ModuleFile | None = None
    explanation: Output[Explanation] = output()

    def check(self) -> None:
        """Check that each method has what it needs, and nothing else is given."""
        from penstock.baseline_comparison.metric_directions import is_known, metric_names, ranked

        if not self.methods:
            raise ValueError(f"Explainer needs a method: {', '.join(get_args(Method))}")
        if ("permutation" in self.methods) != bool(self.label_key):
            raise ValueError(
                'label_key is what methods=["permutation"] measures the model by, and no other method. '
                f"Received: label_key={self.label_key!r}, methods={list(self.methods)}"
            )
        if not is_known(self.metric) or ranked(self.metric):
            names = [name for name in metric_names() if not name.endswith("K")]
            raise ValueError(
                f"Explainer knows no metric {self.metric!r}.{did_you_mean(self.metric, names)}"
            )
        for field in ("max_rows", "num_pictures"):
            if getattr(self, field) < 1:
                raise ValueError(f"{field} must be 1 or more. Received: {getattr(self, field)}")
        self._check_used()

    def _check_used(self) -> None:
        """Refuse arguments that none of the methods reads."""
        readers = {
            "transformed_examples": _OF_KERAS,
            "model_output": _OF_KERAS,
            "module_file": _OF_KERAS,
            "features": ("permutation", "shap"),
            "prediction_key": ("permutation", "shap"),
            "image_key": ("saliency", "grad_cam"),
            "layer": ("grad_cam",),
        }
        for field, methods in readers.items():
            value = getattr(self, field)
            given = bool(value) if isinstance(value, str | Sequence) else value is not None
            if given and not set(methods) & set(self.methods):
                raise ValueError(
                    f"{field} is read by {', '.join(methods)}. Received: methods={list(self.methods)}"
                )

    def run(self, context: ExecutionContext) -> None:
        """Explain, and write numbers and pictures."""
        from penstock.explaining.report import ExplanationReport

        report = ExplanationReport()
        if {"permutation", "shap"} & set(self.methods):
            self._explain_served(report, context.seed or 0)
        if set(_OF_KERAS) & set(self.methods):
            self._explain_keras(report, context)
        report.write(self.explanation.uri)
        for line in report.sentences:
            context.log.info("%s", line)
        context.report_verdict("; ".join(report.sentences), ok=True)

    def _explain_served(self, report: Report, seed: int) -> None:
        from penstock.explaining.served_model import ServedModel

        served = ServedModel(
            self.model.serving_uri, self._table(self.examples), self.label_key, self.prediction_key
        )
        places = served.places(self.features)
        for method in self.methods:
            if method == "permutation":
                report.add_permutation(served.score_by(self.metric), places, self.metric, seed)
            elif method == "shap":
                number, of = served.number_of(self.target_class)
                report.add_shap(number, places, of, seed)

    def _explain_keras(self, report: Report, context: ExecutionContext) -> None:
        from penstock.explaining.explained_model import ExplainedModel
        from penstock.explaining.keras_file import load_keras_model
        from penstock.explaining.pictures import KerasExplanations
        from penstock.io.examples.columns import column_array

        module = None if self.module_file is None else context.load_module(self.module_file)
        file = f"{self.model.uri.rstrip('/')}/{Model.KERAS_FOLDER}/model.keras"
        model = load_keras_model(file, module)
        table = self._table(self.transformed_examples or self.examples)
        columns = {name: column_array(table.column(name)) for name in table.column_names}
        explanations = KerasExplanations(
            model,
            ExplainedModel(model, self.model_output, self.target_class).inputs_of(columns),
            self.model_output,
            self.target_class,
            self.num_pictures,
        )
        for method in self.methods:
            if method == "integrated_gradients":
                explanations.add_integrated_gradients(report)
            elif method == "saliency":
                explanations.add_saliency(report, self.image_key)
            elif method == "grad_cam":
                explanations.add_grad_cam(report, self.image_key, self.layer)
            elif method == "attention":
                explanations.add_attention(report)

    def _table(self, examples: Examples) -> pa.Table:
        from penstock.io import ExamplesSplit
        from penstock.io.examples.columns import whole_table

        if self.split not in examples.splits:
            raise ValueError(
                f"The examples at {examples.uri} have no split {self.split!r}."
                f"{did_you_mean(self.split, examples.splits)}"
            )
        return whole_table(ExamplesSplit.of(examples, self.split), max_rows=self.max_rows)
