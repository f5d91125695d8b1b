"""DriftMonitor: tells whether what a model is asked still looks like what it was trained on."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, ClassVar

from penstock.artifacts import (
    DriftReport,
    Examples,
    ExampleStatistics,
    ModelEvaluation,
    Schema,
    String,
    location,
)
from penstock.data_validation.drift.limits import DriftLimit
from penstock.dsl import Component, ExecutionContext, Input, Output, output
from penstock.spelling import counted, did_you_mean

if TYPE_CHECKING:
    from penstock.data_validation.drift.report import DriftReport as Found

REPORT_FILE = "drift.json"
PAGE_FILE = "drift.html"
_NAMED = 3


class DriftMonitor(Component):
    """Compares logged requests, or a new span, with the statistics of the training data.

    Each feature's population stability index, Jensen-Shannon divergence and share of missing values are
    measured and held against limits; so are the model's answers and, where labels have come, its metrics.
    What chance alone explains with so few rows is not drift.

    Args:
        statistics: Statistics of the training data.
        examples: The rows to judge: a request log, read by ImportExampleGen, or a new span.
        schema: The schema; what it does not expect in the environment SERVING is not compared.
        prediction_statistics: Statistics of the model's answers when nothing had drifted: of an earlier
            request log, or of a BulkInferrer's examples.
        evaluation: The model's evaluation at training.
        labeled_evaluation: Its evaluation on rows whose labels came later (`penstock label`).
        limits: Limits of single features and predictions.
        default_limit: The limits of all others.
        exclude_features: Features that are not compared, such as labels and identifiers.
        max_metric_change: The change of a metric over the whole that is allowed, by name: -0.05 is a fall
            by 0.05, 0.1 a rise by 0.1. Needs both evaluations.
        min_rows: With fewer rows nothing is judged.
        statistics_split: The split of the statistics to compare with.
        splits: The splits of `examples`; all by default.

    Outputs:
        drift: `drift.json` and `drift.html`: distances, shares and limits of each feature.
        verdict: "drift", "no drift", or "too few rows", for a schedule to act on.

    Example:
        DriftMonitor(
            statistics=statistics_gen.outputs["statistics"],
            examples=requests.outputs["examples"],
            exclude_features=["tips"],
            limits={"fare": DriftLimit(stability_index=0.1)},
        )
    """

    LIBRARIES: ClassVar = ("tensorflow-metadata", "pyarrow", "numpy")
    USES_SEED: ClassVar = False

    statistics: Input[ExampleStatistics]
    examples: Input[Examples]
    schema: Input[Schema] | None = None
    prediction_statistics: Input[ExampleStatistics] | None = None
    evaluation: Input[ModelEvaluation] | None = None
    labeled_evaluation: Input[ModelEvaluation] | None = None
    limits: Mapping[str, DriftLimit] = {}
    default_limit: DriftLimit = DriftLimit()
    exclude_features: Sequence[str] = ()
    max_metric_change: Mapping[str, float] = {}
    min_rows: int = 100
    statistics_split: str = "train"
    splits: Sequence[str] = ()
    drift: Output[DriftReport] = output()
    verdict: Output[String] = output()

    def check(self) -> None:
        """Check that metrics can be compared where that is asked for, and the other way round."""
        evaluations = (self.evaluation is not None) + (self.labeled_evaluation is not None)
        if bool(self.max_metric_change) != bool(evaluations) or evaluations == 1:
            raise ValueError(
                "max_metric_change, evaluation and labeled_evaluation belong together: the change of a "
                "metric from one to the other."
            )
        if self.min_rows < 1:
            raise ValueError(f"min_rows must be 1 or more. Received: {self.min_rows}")

    def run(self, context: ExecutionContext) -> None:
        """Measure, write the report and say the verdict."""
        from penstock.cards.drift_page import display_drift

        found = self._measure()
        location.write_bytes(f"{self.drift.uri}/{REPORT_FILE}", found.to_json().encode())
        page = display_drift(found, "Rows against training data")
        location.write_bytes(f"{self.drift.uri}/{PAGE_FILE}", page.html.encode())
        self.verdict.value = found.verdict
        for reason in found.reasons:
            context.log.warning("%s", reason)
        context.report_metrics({"rows": found.rows, "drifted": len(found.reasons)})
        context.report_verdict(_sentence(found), ok=found.verdict != "drift")

    def _measure(self) -> Found:
        import dataclasses
        from itertools import chain

        from penstock.data_validation import load_schema_text
        from penstock.data_validation.drift.monitoring import measure_drift
        from penstock.data_validation.drift.report import metric_changes
        from penstock.io import ExamplesSplit

        splits = [ExamplesSplit.of(self.examples, name) for name in self._splits()]
        schema = None if self.schema is None else load_schema_text(self.schema.file)
        predictions = self.prediction_statistics
        found = measure_drift(
            self._dataset(self.statistics, self.statistics_split),
            chain.from_iterable(split.batches() for split in splits),
            schema=schema,
            predictions=None if predictions is None else self._dataset(predictions),
            limits=self.limits,
            default=self.default_limit,
            exclude=self.exclude_features,
            min_rows=self.min_rows,
        )
        if self.evaluation is None or self.labeled_evaluation is None:
            return found
        changes = metric_changes(
            _overall(self.evaluation.uri),
            _overall(self.labeled_evaluation.uri),
            self.max_metric_change,
        )
        return dataclasses.replace(found, metrics=changes)

    def _splits(self) -> Sequence[str]:
        for name in self.splits:
            if name not in self.examples.splits:
                raise ValueError(
                    f"The examples have no split {name!r}.{did_you_mean(name, self.examples.splits)}"
                )
        return self.splits or self.examples.splits

    def _dataset(self, statistics: ExampleStatistics, split: str = "") -> Any:
        from penstock.data_validation import load_stats_binary

        name = split or statistics.splits[0]
        if name not in statistics.splits:
            raise ValueError(
                f"The statistics have no split {name!r} (statistics_split)."
                f"{did_you_mean(name, statistics.splits)}"
            )
        return load_stats_binary(f"{statistics.split_uri(name)}/FeatureStats.pb").datasets[0]


def _overall(evaluation: str) -> dict[str, float]:
    from penstock.evaluation import load_evaluation

    table = load_evaluation(evaluation)
    whole = table[(table["slice"] == "Overall") & ~table["is_change"]]
    return dict(zip(whole["metric"], whole["value"], strict=True))


def _sentence(found: Found) -> str:
    if found.verdict == "drift":
        more = len(found.reasons) - _NAMED
        listed = "; ".join(found.reasons[:_NAMED]) + (f"; and {more} more" if more > 0 else "")
        return f"drift: {listed}"
    if found.unjudged:
        return f"drift not judged: {found.unjudged}"
    return f"no drift in {counted(len(found.features), 'feature')}, {counted(found.rows, 'row')}"
