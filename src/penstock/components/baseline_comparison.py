"""BaselineComparison: compares a model with a simple baseline on held-out rows."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from types import ModuleType
from typing import TYPE_CHECKING, Any, ClassVar

from penstock.artifacts import ComparisonBlessing, Examples, Model, ModelComparison
from penstock.baseline_comparison.metric_directions import is_known, metric_names
from penstock.dsl import Component, ExecutionContext, Input, ModuleFile, Output, output
from penstock.spelling import counted, did_you_mean

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    from penstock.baseline_comparison.comparison import ComparedMetric

    _Array = npt.NDArray[Any]


class BaselineComparison(Component):
    """Compares a model with a baseline that your module defines, on rows that neither was trained on.

    The module's `baseline_fn(train, test)` gets the raw features of both splits, by name (see
    `penstock.io.read_columns`), `test` without the label, and returns its predictions for `test`: class
    probabilities with the classes sorted, as scikit-learn's `predict_proba` has them, or predicted classes;
    values; or the items of each row, the best first. The model is asked through its serving signature, with
    the raw features, as a client asks it. The node succeeds also if the model loses: its blessing says so.

    The module may define three more functions, for what the named metrics do not cover:
    `metric_fn(labels, predictions)` returns further metrics by name; `label_fn(columns)` makes the labels
    of a split from its columns; `prediction_fn(outputs)` makes of the model's outputs, by name, what
    `baseline_fn` returns.

    Args:
        examples: Raw examples.
        model: The model.
        module_file: The file that defines `baseline_fn`.
        label_key: The raw feature that is right; the model and `test` do not have it.
        metrics: What is measured: `accuracy`, `balanced_accuracy`, `f1`, `log_loss`, `auc`,
            `average_precision` of classes; `mae`, `rmse`, `mape`, `r2`, `poisson_deviance` of values;
            `recall_at_K`, `ndcg_at_K`, `hit_rate_at_K` of ranked items.
        margin: How much better than the baseline the model must be in the first metric; negative: how much
            worse it may be. Or a dict, with a margin for each metric that is judged.
        train_split: The rows that the baseline learns from.
        eval_split: The rows that both are measured on.
        baseline_fn: The name of the function, if a module has several baselines.
        prediction_key: The model's output that is compared; needed if it has several that could be.
        class_names: The classes in the order of the model's scores, if the model does not say them.
        lower_is_better: Metrics of `metric_fn` of which less is better.

    Outputs:
        comparison: A JSON value: both scores of each metric, the improvement, the margin, and the rows.
        blessing: An empty file `COMPARISON_BLESSED` or `COMPARISON_NOT_BLESSED`, for
            `Pusher(blessings=[...])`.

    Example:
        BaselineComparison(
            examples=example_gen.outputs["examples"],
            model=trainer.outputs["model"],
            module_file="modules/penguin.py",
            label_key="species",
            metrics=["accuracy", "log_loss"],
            margin=-0.02,
        )
    """

    LIBRARIES: ClassVar = ("tensorflow", "keras", "numpy")
    USES_TENSORFLOW: ClassVar = True

    examples: Input[Examples]
    model: Input[Model]
    module_file: ModuleFile
    label_key: str
    metrics: Sequence[str] = ()
    margin: float | Mapping[str, float] = 0.0
    train_split: str = "train"
    eval_split: str = "test"
    baseline_fn: str = "baseline_fn"
    prediction_key: str = ""
    class_names: Sequence[str] = ()
    lower_is_better: Sequence[str] = ()
    comparison: Output[ModelComparison] = output()
    blessing: Output[ComparisonBlessing] = output()

    def check(self) -> None:
        """Check the names of the metrics."""
        for name in self.metrics:
            if not is_known(name):
                raise ValueError(
                    f"BaselineComparison knows no metric {name!r}.{did_you_mean(name, metric_names())} A "
                    "metric of your own is what the module's metric_fn returns; it is not named in metrics."
                )
        if not self.metrics and not isinstance(self.margin, Mapping):
            raise ValueError(
                "BaselineComparison needs a metric: metrics=['accuracy']. Or, with a metric_fn in the "
                "module, a margin for a metric of it: margin={'my_metric': 0.1}"
            )
        if isinstance(self.margin, Mapping) and not self.margin:
            raise ValueError("margin={} judges nothing. Give a margin for at least one metric.")
        if self.train_split == self.eval_split:
            raise ValueError(
                "The baseline is measured on rows that it did not learn from. Received: train_split and "
                f"eval_split are both {self.train_split!r}"
            )

    def run(self, context: ExecutionContext) -> None:
        """Ask both, measure both, and write the comparison and the blessing."""
        from penstock.baseline_comparison.comparison import compared, summary
        from penstock.baseline_comparison.model_predictions import predict_split
        from penstock.io import ExamplesSplit, read_columns

        module = context.load_module(self.module_file)
        baseline = self._function(module)
        train = read_columns(ExamplesSplit.of(self.examples, self.train_split))
        split = ExamplesSplit.of(self.examples, self.eval_split)
        test = read_columns(split)
        learned, right = self._labels(module, train), self._labels(module, test)
        known = _is_known(right)
        if not known.all():
            context.log.warning("%s without a label: left out", counted(int((~known).sum()), "row"))
        started = time.perf_counter()
        asked = predict_split(self.model.serving_uri, split, self.label_key)
        between = time.perf_counter()
        features = {name: values for name, values in test.items() if name != self.label_key}
        guessed = _rows_of(baseline(train, features), len(right), self.baseline_fn)
        seconds = {"model": between - started, "baseline": time.perf_counter() - between}
        make = getattr(module, "prediction_fn", None)
        said = asked.chosen(self.prediction_key) if make is None else make(dict(asked.outputs))
        said = _rows_of(said, len(right), "prediction_fn" if make else "The model")
        measured = self._measure(
            getattr(module, "metric_fn", None),
            (learned, right[known]),
            (said[known], guessed[known]),
            tuple(self.class_names) or asked.class_names,
        )
        margins = (
            dict(self.margin)
            if isinstance(self.margin, Mapping)
            else {self.metrics[0]: self.margin}
        )
        metrics = compared(*measured, margins, self.lower_is_better)
        rows = {self.train_split: len(learned), self.eval_split: int(known.sum())}
        self._write(metrics, rows, _first_line(baseline))
        self.comparison.custom_properties.update(
            {f"{who}_seconds": round(each, 3) for who, each in seconds.items()}
        )
        context.report_metrics(
            {
                **{f"model/{each.name}": each.model for each in metrics},
                **{f"baseline/{each.name}": each.baseline for each in metrics},
            }
        )
        ok = all(each.ok for each in metrics)
        context.report_verdict(summary(metrics), ok=ok)
        for each in metrics:
            context.log.info("%s", each.sentence())

    def _function(self, module: ModuleType) -> Callable[..., Any]:
        found = getattr(module, self.baseline_fn, None)
        if not callable(found):
            functions = [name for name, each in vars(module).items() if callable(each)]
            raise ValueError(
                f"{self.module_file} defines no function {self.baseline_fn!r}."
                f"{did_you_mean(self.baseline_fn, functions)}"
            )
        function: Callable[..., Any] = found
        return function

    def _labels(self, module: ModuleType, columns: Mapping[str, _Array]) -> _Array:
        import numpy as np

        make = getattr(module, "label_fn", None)
        if make is not None:
            labels: _Array = np.asarray(make(columns))
            return labels
        if self.label_key not in columns:
            raise ValueError(
                f"The examples at {self.examples.uri} have no feature {self.label_key!r}, which label_key "
                f"names.{did_you_mean(self.label_key, columns)}"
            )
        return columns[self.label_key]

    def _measure(
        self,
        metric_fn: Callable[..., Mapping[str, float]] | None,
        labels: tuple[_Array, _Array],
        predictions: tuple[_Array, _Array],
        class_names: Sequence[str],
    ) -> tuple[dict[str, float], dict[str, float]]:
        """Return the metrics of the model and of the baseline."""
        from penstock.baseline_comparison.classes import Classes
        from penstock.baseline_comparison.metric_directions import CLASS_METRICS
        from penstock.baseline_comparison.metrics import measure

        learned, right = labels
        found: tuple[dict[str, float], dict[str, float]] = ({}, {})
        of_classes = [name for name in self.metrics if name in CLASS_METRICS]
        if of_classes:
            classes = Classes.of(learned[_is_known(learned)], class_names)
            places = classes.indices(right)
            names = (class_names, ())
            for i, who in enumerate(("The model", self.baseline_fn)):
                scores = classes.scores(predictions[i], names[i], who)
                found[i].update({name: measure(name, places, scores) for name in of_classes})
        for i in range(2):
            for name in self.metrics:
                if name not in of_classes:
                    found[i][name] = measure(name, right, predictions[i])
            if metric_fn is not None:
                found[i].update(metric_fn(right, predictions[i]))
        ordered = [*self.metrics, *(name for name in found[0] if name not in self.metrics)]
        return tuple({name: each[name] for name in ordered if name in each} for each in found)  # type: ignore[return-value]

    def _write(
        self, metrics: Sequence[ComparedMetric], rows: Mapping[str, int], description: str
    ) -> None:
        ok = all(each.ok for each in metrics)
        self.comparison.value = {
            "baseline": self.baseline_fn,
            "description": description,
            "label": self.label_key,
            "metrics": [each.to_json() for each in metrics],
            "ok": ok,
            "rows": dict(rows),
            "train_split": self.train_split,
            "eval_split": self.eval_split,
        }
        self.blessing.write(ok, self.model, (each.sentence() for each in metrics if not each.ok))


def _is_known(labels: _Array) -> npt.NDArray[np.bool_]:
    """Return which labels there are: neither None nor NaN."""
    import numpy as np

    if labels.dtype.kind == "f":
        axes = tuple(range(1, labels.ndim))
        return np.logical_not(np.isnan(labels).any(axis=axes))
    if labels.dtype == object:
        return np.array([each is not None for each in labels], dtype=bool)
    return np.ones(len(labels), dtype=bool)


def _rows_of(predictions: Any, rows: int, whose: str) -> _Array:
    import numpy as np

    array: _Array = np.asarray(predictions)
    if array.ndim == 0 or len(array) != rows:
        raise ValueError(
            f"{whose} returned predictions of the shape {array.shape}. Expected one for each of the {rows} "
            "rows of test."
        )
    return array


def _first_line(function: Callable[..., Any]) -> str:
    return (function.__doc__ or "").strip().partition("\n")[0]
