"""Trainer: trains a model with the user's `run_fn`."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Mapping
from math import isfinite
from typing import Any, ClassVar

from penstock.artifacts import (
    Examples,
    ExampleStatistics,
    HyperParameters,
    Model,
    ModelRun,
    Schema,
    TransformGraph,
)
from penstock.components.named_function import as_function
from penstock.dsl import (
    Component,
    ExecutionContext,
    Input,
    ModuleFile,
    Output,
    output,
)
from penstock.training.args import EvalArgs, TrainArgs
from penstock.training.distribution import check_distribution
from penstock.training.reproducibility import check_precision

HISTORY_FILE = "history.json"


class Trainer(Component):
    """Trains a model by calling the user's `run_fn(fn_args)`.

    `run_fn` writes the model to `fn_args.serving_model_dir` and its logs to
    `fn_args.model_run_dir`. It may return the result of Keras's `fit`, or a dict of numbers: they
    are kept as `history.json` beside the logs, and the last ones are shown with the run. Anything
    else is ignored, as in TFX.

    Args:
        examples: The examples to train on, usually Transform's output.
        statistics: Fills `fn_args.num_examples`.
        transform_graph: The graph that the examples went through, for the export.
        schema: The examples' schema.
        base_model: A model to start from.
        hyperparameters: The result of a Tuner.
        module_file: The file that defines `run_fn`.
        run_fn: The function itself or its dotted name, instead of `module_file`.
        train_args: The splits and the number of steps of training.
        eval_args: The splits and the number of steps of validation.
        custom_config: Passed to `run_fn`.
        distribution: "none" or "mirrored"; sets `fn_args.strategy`. Without GPUs "mirrored" uses
            two logical CPU devices.
        precision: Keras's dtype policy, such as "float32" or "mixed_bfloat16".

    Outputs:
        model: `Format-Serving/`, and `Format-TFMA/` when the module writes it.
        model_run: TensorBoard logs and `history.json`.

    Example:
        Trainer(
            examples=transform.outputs["transformed_examples"],
            transform_graph=transform.outputs["transform_graph"],
            module_file="modules/penguin.py",
            train_args=TrainArgs(num_steps=100),
        )
    """

    TYPE_NAME: ClassVar = "tfx.components.trainer.component.Trainer"
    TYPE_ANNOTATION: ClassVar = "mlmd.Train"
    LIBRARIES: ClassVar = ("tensorflow", "keras", "tensorflow-transform")
    MODULE_FUNCTIONS: ClassVar = ("run_fn",)
    USES_TENSORFLOW: ClassVar = True

    examples: Input[Examples]
    statistics: Input[ExampleStatistics] | None = None
    transform_graph: Input[TransformGraph] | None = None
    schema: Input[Schema] | None = None
    base_model: Input[Model] | None = None
    hyperparameters: Input[HyperParameters] | None = None
    module_file: ModuleFile | None = None
    run_fn: Callable[..., Any] | str | None = None
    train_args: TrainArgs = TrainArgs()
    eval_args: EvalArgs = EvalArgs()
    custom_config: Mapping[str, Any] | None = None
    distribution: str = "none"
    precision: str = "float32"
    model: Output[Model] = output()
    model_run: Output[ModelRun] = output()

    def check(self) -> None:
        """Check that there is one user function, and that the names are valid."""
        self.run_fn = as_function("run_fn", self.run_fn)
        check_one_function("Trainer", "run_fn", self.module_file, self.run_fn)
        check_distribution(self.distribution)
        check_precision(self.precision)

    def worker_profile(self) -> Mapping[str, Any]:
        """Return the settings that a process cannot change once TensorFlow has run."""
        if self.distribution == "none" and self.precision == "float32":
            return {}
        return {"distribution": self.distribution, "precision": self.precision}

    def run(self, context: ExecutionContext) -> None:
        """Call `run_fn` and check what it exported."""
        from penstock.training.distribution import use_devices
        from penstock.training.fn_args_from_artifacts import fn_args_from_artifacts
        from penstock.training.history import history_of
        from penstock.training.reproducibility import forget_layers, set_precision
        from penstock.training.user_functions import UserFunctionError, place_of, user_function
        from penstock.tuning import read_best_hyperparameters

        check_distribution(self.distribution)
        use_devices(self.distribution)
        forget_layers()
        set_precision(self.precision)
        source: Any = self.run_fn
        if self.module_file is not None:
            source = context.load_module(self.module_file)
        run_fn = user_function(source, "run_fn")
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
            statistics=self.statistics,
        )
        fn_args.checkpoint_dir = context.checkpoint_dir
        fn_args.serving_model_dir = f"{self.model.uri}/{self.model.SERVING_FOLDER}"
        fn_args.eval_model_dir = f"{self.model.uri}/{self.model.EVAL_FOLDER}"
        fn_args.model_run_dir = self.model_run.uri
        fn_args.distribution, fn_args.precision = self.distribution, self.precision
        if self.hyperparameters is not None:
            fn_args.hyperparameters = read_best_hyperparameters(self.hyperparameters.uri)
        replicas = fn_args.strategy.num_replicas_in_sync
        context.log.info(
            "distribution %s: %d replicas, precision %s",
            self.distribution,
            replicas,
            self.precision,
        )
        history, left_out = history_of(run_fn(fn_args))
        if left_out:
            context.log.warning(
                "run_fn returned no numbers for %s: not kept in %s",
                ", ".join(map(repr, left_out)),
                HISTORY_FILE,
            )
        if not any(os.path.isdir(d) for d in (fn_args.serving_model_dir, fn_args.eval_model_dir)):
            raise UserFunctionError(
                f"{place_of(run_fn)} exported no model: it returned without writing to "
                "fn_args.serving_model_dir. Call penstock.training.export_model(model, "
                "fn_args.serving_model_dir, ...) in it."
            )
        if not os.path.isfile(f"{fn_args.serving_model_dir}/saved_model.pb"):
            context.log.warning(
                "fn_args.serving_model_dir (%s) has no saved_model.pb. The Evaluator, the Pusher and "
                "servers need a SavedModel: penstock.training.export_model writes one.",
                fn_args.serving_model_dir,
            )
        os.makedirs(self.model_run.uri, exist_ok=True)
        with open(f"{self.model_run.uri}/{HISTORY_FILE}", "w") as file:
            json.dump(history, file, indent=2, sort_keys=True)
        last = {name: values[-1] for name, values in history.items() if values}
        context.report_metrics({name: value for name, value in last.items() if isfinite(value)})
        for name in (name for name, value in last.items() if not isfinite(value)):
            context.log.warning("The last value of %r is %s", name, last[name])
        if self.distribution != "none":
            context.report_metrics({"replicas": replicas})


def check_one_function(component: str, name: str, module_file: object, function: object) -> None:
    """Raise a `ValueError` unless there is either a module file or a function, but not both."""
    if (module_file is None) == (function is None):
        received = "neither" if module_file is None else "both"
        raise ValueError(
            f"{component} needs module_file (a file that defines {name}) or {name} (the function). "
            f"Received: {received}"
        )
