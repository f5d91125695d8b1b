"""ABGate: decides between two versions of a model, and says how sure that is."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, ClassVar

from penstock.artifacts import ABComparison, Artifact, ComparisonBlessing, Examples, Model, String
from penstock.baseline_comparison.metric_directions import is_known, lower_is_better, metric_names
from penstock.dsl import Component, ExecutionContext, Input, Output, output
from penstock.spelling import did_you_mean

if TYPE_CHECKING:
    from penstock.ab_test.arms import Arms
    from penstock.ab_test.decision import Decision, Judged

_BASELINE = "compared_with"


class ABGate(Component):
    """Compares a candidate with a baseline, and decides if the difference is more than chance.

    Either both models are asked about the same rows, through their serving signatures: give `model` and
    `serving_model` or `baseline_model`. Or the rows are requests that a server logged, each answered by one
    of two versions, with labels that came later (`penstock label`): give `candidate_version` and
    `baseline_version`. Of a log only the time in which both answered counts.

    The candidate wins if the whole confidence interval of its improvement lies above the margin, the
    baseline if it lies below; else it is undecided. Then the baseline stays: the blessing is given to a
    candidate that wins, and to no other. The node itself succeeds.

    Args:
        examples: The rows, with labels.
        model: The candidate, if it is asked.
        baseline_model: The model that it is compared with. If there is none yet, the candidate wins.
        serving_model: Or the pushed version that it is compared with: `FOLDER@ALIAS`, a folder of versions
            for the highest, or `models:/NAME@ALIAS`. If nothing was pushed yet, the candidate wins. A
            result is not reused once the alias names another version.
        candidate_version: The candidate in the log: its number, or the label under which it was asked.
        baseline_version: The baseline in the log.
        label_key: The feature that is right.
        metrics: What is measured, as in BaselineComparison.
        margin: How much better the candidate must be in the first metric; negative: how much worse it may
            be. Or a dict, with a margin for each metric that is judged: all of them must be kept.
        confidence: How often an interval holds the true difference.
        splits: The splits to compare on. By default the only one; of a log all, since no model was trained
            on it.
        unit_key: The feature that says which rows belong together, such as a user: they are no
            independent evidence. In a log it is by default what divided the traffic: 4,096 parts of the
            users where that is a header, else the request. Name the feature if that divided it.
        candidate_share: The candidate's share of the traffic by the server's config. If it answered
            another share, by more than chance, nothing is decided.
        planned_units: For a gate that runs again and again while data come in, and stops when it decides:
            the units at which its intervals are tightest. They are wider then, and hold at all looks.
        prediction_key: The model's output that is compared; needed if it has several that could be.
        class_names: The classes in the order of the model's scores, if the model does not say them.

    Outputs:
        comparison: A JSON value: both scores of each metric, the improvement with its interval, the
            decision and its reasons.
        blessing: An empty file `COMPARISON_BLESSED` or `COMPARISON_NOT_BLESSED`, for
            `Pusher(blessings=[...])`.
        verdict: The decision in a word, for schedules and notifications: `candidate`, `baseline` or
            `undecided`.

    Example:
        ABGate(
            examples=labeled.outputs["examples"],
            candidate_version="canary",
            baseline_version="champion",
            label_key="species",
            metrics=["accuracy", "log_loss"],
            candidate_share=0.2,
        )
    """

    LIBRARIES: ClassVar = ("tensorflow", "keras", "numpy")
    USES_SEED: ClassVar = True

    examples: Input[Examples]
    model: Input[Model] | None = None
    baseline_model: Input[Model] | None = None
    serving_model: str = ""
    candidate_version: str = ""
    baseline_version: str = ""
    label_key: str
    metrics: Sequence[str]
    margin: float | Mapping[str, float] = 0.0
    confidence: float = 0.95
    splits: Sequence[str] = ()
    unit_key: str = ""
    candidate_share: float | None = None
    planned_units: int | None = None
    prediction_key: str = ""
    class_names: Sequence[str] = ()
    comparison: Output[ABComparison] = output()
    blessing: Output[ComparisonBlessing] = output()
    verdict: Output[String] = output()

    def check(self) -> None:
        """Check that there are two versions and something to measure."""
        versions = (self.candidate_version, self.baseline_version)
        if (self.model is None) == (versions == ("", "")) or (
            self.model is None and "" in versions
        ):
            raise ValueError(
                "ABGate compares two models (model=... with serving_model=... or baseline_model=...) or "
                "two versions in a log (candidate_version=..., baseline_version=...). Give one of these "
                "pairs."
            )
        baselines = (self.baseline_model is not None) + (self.serving_model != "")
        if baselines != (self.model is not None):
            raise ValueError(
                "model is compared with a baseline_model or a serving_model, one of them; a log has a "
                f"baseline_version. Received: serving_model={self.serving_model!r}"
            )
        if self.model is not None and self.candidate_share is not None:
            raise ValueError(
                "candidate_share is about a log; both models are asked about all rows."
            )
        if not self.metrics:
            raise ValueError("ABGate needs a metric: metrics=['accuracy']")
        for name in [*self.metrics, *self._margins()]:
            if not is_known(name):
                raise ValueError(
                    f"ABGate knows no metric {name!r}.{did_you_mean(name, metric_names())}"
                )
        unmeasured = [name for name in self._margins() if name not in self.metrics]
        if unmeasured or not self._margins():
            raise ValueError(
                "margin has a metric of metrics or several. Received: "
                f"metrics={list(self.metrics)!r}, margin={self.margin!r}"
            )
        self._check_numbers()

    def _check_numbers(self) -> None:
        if isinstance(self.confidence, float) and not 0.5 <= self.confidence < 1:
            raise ValueError(f"confidence is 0.5 to 1, as 0.95. Received: {self.confidence!r}")
        share = self.candidate_share
        if isinstance(share, float) and not 0 < share < 1:
            raise ValueError(f"candidate_share is between 0 and 1. Received: {share!r}")
        planned = self.planned_units
        if isinstance(planned, int) and planned < 2:
            raise ValueError(f"planned_units is 2 or more. Received: {planned!r}")

    def runs_tensorflow(self) -> bool:
        """Return whether models are asked."""
        return self.model is not None

    def _margins(self) -> dict[str, float]:
        if isinstance(self.margin, Mapping):
            return dict(self.margin)
        return {self.metrics[0]: self.margin} if self.metrics else {}

    def run(self, context: ExecutionContext) -> None:
        """Compare, decide, and write both."""
        from penstock.ab_test.decision import Decision, Judged, decide
        from penstock.ab_test.differences import difference
        from penstock.ab_test.split_check import share_is_off

        baseline = self._baseline(context.resolve_path)
        self.comparison.custom_properties[_BASELINE] = baseline or ""
        if self.model is not None and baseline is None:
            self._write(Decision("candidate"), [], None)
            context.report_verdict("candidate: there is no baseline to compare with", ok=True)
            return
        arms = self._arms(baseline)
        margins, metrics, objections = self._margins(), [], []
        for name in self.metrics:
            ours, theirs = arms.for_metric(name)
            found = difference(
                name,
                ours,
                theirs,
                paired=arms.paired,
                confidence=self.confidence,
                planned_units=self.planned_units,
                seed=context.seed or 0,
            )
            metrics.append(Judged(name, found, lower_is_better(name), margins.get(name)))
        if self.candidate_share is not None:
            off = share_is_off(ours.num_units, theirs.num_units, self.candidate_share)
            objections += [off] if off else []
        decision = decide(metrics, objections)
        self._write(decision, metrics, arms)
        for each in metrics:
            context.log.info("%s", each.sentence())
        context.report_metrics(
            {f"improvement/{each.name}": each.improvement for each in metrics}
            | {f"improvement/{each.name}/lower": each.interval[0] for each in metrics}
            | {f"improvement/{each.name}/upper": each.interval[1] for each in metrics}
        )
        reasons = decision.reasons or [
            each.sentence() for each in metrics if each.margin is not None
        ]
        context.report_verdict(
            f"{decision.outcome}: {'; '.join(reasons)}", ok=decision.outcome == "candidate"
        )

    def is_current(
        self, outputs: Mapping[str, Sequence[Artifact]], resolve: Callable[[str], str]
    ) -> bool:
        """Return whether what serves is still the version that was compared with."""
        if not self.serving_model:
            return True
        if not outputs.get("comparison"):
            return False  # Kubeflow's own cache does not show what was written
        compared = outputs["comparison"][0].custom_properties.get(_BASELINE)
        try:
            return (self._baseline(resolve) or "") == compared
        except ValueError:
            return False  # no such alias any more: running says so

    def _baseline(self, resolve: Callable[[str], str]) -> str | None:
        """Return the folder of the model to compare with; None if there is none."""
        from penstock.ab_test.serving_version import serving_version

        if self.serving_model:
            return serving_version(self.serving_model, resolve)
        return None if self.baseline_model is None else str(self.baseline_model.serving_uri)

    def _arms(self, baseline: str | None) -> Arms:
        from penstock.ab_test.arms import asked, logged
        from penstock.io import ExamplesSplit

        names = list(self.splits or self.examples.splits)
        if not self.splits and self.model is not None and len(names) > 1:
            raise ValueError(
                "Say in splits which rows are compared: those that no model was trained on. Splits: "
                f"{', '.join(names)}"
            )
        splits = [ExamplesSplit.of(self.examples, name) for name in names]
        how: dict[str, Any] = {
            "label_key": self.label_key,
            "prediction_key": self.prediction_key,
            "class_names": self.class_names,
            "unit_key": self.unit_key,
        }
        if self.model is None:
            return logged(splits, self.candidate_version, self.baseline_version, **how)
        assert baseline is not None
        return asked(splits, self.model.serving_uri, baseline, **how)

    def _write(self, decision: Decision, metrics: Sequence[Judged], arms: Arms | None) -> None:
        self.comparison.value = {
            "outcome": decision.outcome,
            "reasons": list(decision.reasons),
            "metrics": [each.to_json() for each in metrics],
            "candidate": self.candidate_version or (self.model.uri if self.model else ""),
            "baseline": self.baseline_version or self.comparison.custom_properties[_BASELINE],
            "rows": list(arms.rows) if arms else [0, 0],
            "paired": arms.paired if arms else True,
            "confidence": self.confidence,
            "planned_units": self.planned_units,
            "label": self.label_key,
            "splits": list(self.splits or self.examples.splits),
        }
        self.verdict.value = decision.outcome
        ok = decision.outcome == "candidate"
        # In a request log a version is known by its name alone.
        named = {} if self.model else {"current_model": self.candidate_version}
        self.blessing.write(ok, self.model, decision.reasons, **named)
