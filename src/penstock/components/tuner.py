"""Tuner: searches hyperparameters with the user's `tuner_fn`."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, ClassVar

from penstock.artifacts import (
    Examples,
    HyperParameters,
    Model,
    Schema,
    TransformGraph,
    TunerResults,
)
from penstock.components.named_function import as_function
from penstock.components.trainer import check_one_function
from penstock.dsl import Component, ExecutionContext, Input, ModuleFile, Output, output
from penstock.training.args import EvalArgs, TrainArgs, TuneArgs


class Tuner(Component):
    """Searches hyperparameters with the KerasTuner that the user's `tuner_fn(fn_args)` returns.

    Args:
        examples: The examples that the trials train on.
        schema: The examples' schema.
        transform_graph: The graph that the examples went through.
        base_model: A model to start from.
        module_file: The file that defines `tuner_fn`.
        tuner_fn: The function itself or its dotted name, instead of `module_file`.
        train_args: The splits and the number of steps of training.
        eval_args: The splits and the number of steps of validation.
        tune_args: How the search runs; trials currently run one after another.
        custom_config: Passed to `tuner_fn`.

    Outputs:
        best_hyperparameters: `best_hyperparameters.txt`, which the Trainer reads.
        tuner_results: `tuner_results.json`, all trials with their scores, the best first.

    Example:
        Tuner(
            examples=transform.outputs["transformed_examples"],
            transform_graph=transform.outputs["transform_graph"],
            module_file="modules/penguin.py",
            train_args=TrainArgs(num_steps=100),
        )
    """

    TYPE_NAME: ClassVar = "tfx.components.tuner.component.Tuner"
    TYPE_ANNOTATION: ClassVar = "mlmd.Train"
    LIBRARIES: ClassVar = ("tensorflow", "keras", "keras-tuner", "tensorflow-transform")
    MODULE_FUNCTIONS: ClassVar = ("tuner_fn",)
    USES_TENSORFLOW: ClassVar = True

    examples: Input[Examples]
    schema: Input[Schema] | None = None
    transform_graph: Input[TransformGraph] | None = None
    base_model: Input[Model] | None = None
    module_file: ModuleFile | None = None
    tuner_fn: Callable[..., Any] | str | None = None
    train_args: TrainArgs = TrainArgs()
    eval_args: EvalArgs = EvalArgs()
    tune_args: TuneArgs = TuneArgs()
    custom_config: Mapping[str, Any] | None = None
    best_hyperparameters: Output[HyperParameters] = output()
    tuner_results: Output[TunerResults] = output()

    def check(self) -> None:
        """Check that there is one user function, and that no unsupported parallelism is asked for."""
        self.tuner_fn = as_function("tuner_fn", self.tuner_fn)
        check_one_function("Tuner", "tuner_fn", self.module_file, self.tuner_fn)
        if self.tune_args.num_parallel_trials > 1:
            raise ValueError(
                "Trials currently run one after another: set num_parallel_trials to 1. "
                f"Received: num_parallel_trials={self.tune_args.num_parallel_trials}"
            )

    def run(self, context: ExecutionContext) -> None:
        """Run the search and write its results."""
        from penstock.training import TrainingProgress
        from penstock.training.fn_args_from_artifacts import fn_args_from_artifacts
        from penstock.training.user_functions import user_function
        from penstock.tuning import run_search, write_best_hyperparameters, write_results

        source: Any = self.tuner_fn
        if self.module_file is not None:
            source = context.load_module(self.module_file)
        tuner_fn = user_function(source, "tuner_fn")
        fn_args = fn_args_from_artifacts(
            working_dir=context.working_dir,
            seed=context.seed,
            deterministic=context.deterministic,
            examples=self.examples,
            transform_graph=self.transform_graph,
            schema=self.schema,
            base_model=self.base_model,
            train_args=self.train_args,
            eval_args=self.eval_args,
            custom_config=self.custom_config,
        )
        fn_args.checkpoint_dir = context.checkpoint_dir
        result = tuner_fn(fn_args)
        trials = run_search(result, [TrainingProgress()])
        best = write_best_hyperparameters(result.tuner, self.best_hyperparameters.uri)
        write_results(trials, self.tuner_results.uri)
        context.log.info("Best of %d trials: %s", len(trials), best["values"])
        if trials[0]["score"] is not None:
            context.report_metrics({"best_score": trials[0]["score"], "trials": len(trials)})
