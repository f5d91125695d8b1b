"""ModelCard: a page for people about a model."""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from typing import Any, ClassVar

from penstock.artifacts import (
    ExampleStatistics,
    HyperParameters,
    Model,
    ModelBlessing,
    ModelEvaluation,
    ModelRun,
    PushedModel,
    Schema,
)
from penstock.artifacts import ModelCard as ModelCardArtifact
from penstock.dsl import Component, ExecutionContext, Input, Output, output


class ModelCard(Component):
    """Writes a self-contained HTML page, and JSON, about a model.

    Args:
        model: The model.
        evaluation: Metrics by slice and threshold checks.
        blessing: The verdict and its reasons.
        schema: The raw data's schema.
        statistics: The raw data's statistics.
        hyperparameters: The result of a Tuner.
        model_run: The Trainer's logs, with its `history.json`.
        pushed_model: The result of a Pusher.
        title: The model's name; the pipeline's by default.
        description: What the model is for.
        class_names: The names of a classifier's classes, in order.

    Outputs:
        model_card: `model_card.html` and `model_card.json`.

    Example:
        ModelCard(
            model=trainer.outputs["model"],
            evaluation=evaluator.outputs["evaluation"],
            blessing=evaluator.outputs["blessing"],
        )
    """

    USES_SEED: ClassVar = False
    USES_LINEAGE: ClassVar = True

    model: Input[Model]
    evaluation: Input[ModelEvaluation] | None = None
    blessing: Input[ModelBlessing] | None = None
    schema: Input[Schema] | None = None
    statistics: Input[ExampleStatistics] | None = None
    hyperparameters: Input[HyperParameters] | None = None
    model_run: Input[ModelRun] | None = None
    pushed_model: Input[PushedModel] | None = None
    title: str = ""
    description: str = ""
    class_names: Sequence[str] = ()
    model_card: Output[ModelCardArtifact] = output()

    def run(self, context: ExecutionContext) -> None:
        """Collect the card's content and write it."""
        from penstock.cards import collect, write_model_card
        from penstock.tuning import read_best_hyperparameters

        found: dict[str, Any] = {}
        if self.hyperparameters is not None:
            found = read_best_hyperparameters(self.hyperparameters.uri).get("values", {})
        statistics = self.statistics
        data = collect(
            title=self.title or context.pipeline_name,
            description=self.description,
            model=self.model.serving_uri,
            evaluation=self.evaluation.uri if self.evaluation is not None else None,
            blessing=self.blessing.custom_properties if self.blessing is not None else None,
            schema=f"{self.schema.uri}/schema.pbtxt" if self.schema is not None else None,
            statistics=statistics.uri if statistics is not None else None,
            splits=statistics.splits if statistics is not None else (),
            hyperparameters=found,
            history=self._history(),
            findings=self._findings(),
            pushed=self.pushed_model.custom_properties if self.pushed_model is not None else None,
            lineage=context.lineage,
            class_names=self.class_names,
            provenance={"pipeline": context.pipeline_name, "run": context.run_id},
        )
        write_model_card(data, self.model_card.uri)

    def _findings(self) -> list[dict[str, Any]]:
        from penstock.training.doctor import read_findings

        found = read_findings(self.model_run.uri) if self.model_run is not None else None
        return [each.values() for each in found or []]

    def _history(self) -> dict[str, list[float]]:
        path = f"{self.model_run.uri}/history.json" if self.model_run is not None else ""
        if not os.path.exists(path):
            return {}
        with open(path, encoding="utf-8") as file:
            history: dict[str, list[float]] = json.load(file)
        return history
