"""Trainer: trains a model with the user's `run_fn`."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
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
from penstock.components.user_source import UserSource
from penstock.dsl import (
    Component,
    ExecutionContext,
    Input,
    ModuleFile,
    Output,
    Resources,
    output,
)
from penstock.training.args import EvalArgs, TrainArgs
from penstock.training.declared import (
    check_declared,
    check_processes,
    require_backend,
    trains_here,
)
from penstock.training.doctor.finding import check_doctor
from penstock.training.doctor.report import read_findings, summary_of
from penstock.training.fn_args import FnArgs
from penstock.training.outcome import TrainingResult
from penstock.training.reproducibility import check_precision


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
        distribution: "none", or how several devices or processes train one model: "mirrored",
            "multi_worker", "parameter_server", "tpu", "data_parallel" (docs/distributed-training.md).
            Without GPUs "mirrored" uses two logical CPU devices. How many processes there are is said
            by `Resources(replicas=..., parameter_servers=...)`.
        backend: Keras's backend: "tensorflow", "jax" or "torch". With the last two, the process that
            trains does not import TensorFlow.
        precision: Keras's dtype policy, such as "float32" or "mixed_bfloat16".
        jit_compile: Whether the model is compiled by XLA (on PyTorch by `torch.compile`); None leaves it
            to Keras. `penstock.training.fit` follows it. A module that calls `model.compile` itself
            passes it on: `model.compile(..., **fn_args.compile_kwargs)`.
        doctor: What happens when the training doctor finds a mistake: "warn", "error" or "off".
        doctor_ignore: Findings that it keeps to itself, by their codes: `["no-validation-data"]`.

    Outputs:
        model: `Format-Serving/`, `Format-TFMA/` when the module writes it, and the other forms that
            `export_model` writes beside them.
        model_run: TensorBoard logs, `history.json`, and its curves as a picture in `training_curves/`.

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
    IMPORTS_FUNCTIONS: ClassVar = False

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
    backend: str = "tensorflow"
    precision: str = "float32"
    jit_compile: bool | None = None
    doctor: str = "warn"
    doctor_ignore: Sequence[str] = ()
    model: Output[Model] = output()
    model_run: Output[ModelRun] = output()

    def check(self) -> None:
        """Check that there is one user function, and that the names are valid."""
        self.run_fn = as_function("run_fn", self.run_fn)
        check_one_function("Trainer", "run_fn", self.module_file, self.run_fn)
        check_declared(self.distribution, self.backend, self.jit_compile, self.doctor)
        check_doctor(self.doctor, self.doctor_ignore)
        check_precision(self.precision)

    def check_resources(self, resources: Resources) -> None:
        """Check that the distribution can run in so many processes."""
        check_processes(
            self.distribution,
            resources.replicas,
            resources.parameter_servers,
            self.train_args.batch_size,
        )

    def runs_tensorflow(self) -> bool:
        """Return whether the attempt's own process trains; else it starts and watches those that do."""
        return trains_here(self.distribution, self.backend)

    def keyed_libraries(self) -> Sequence[str]:
        """Return the libraries that decide about the weights."""
        return self.LIBRARIES if self.backend == "tensorflow" else (self.backend, *self.LIBRARIES)

    def worker_profile(self) -> Mapping[str, Any]:
        """Return the settings that a process cannot change once TensorFlow has run."""
        if not self.runs_tensorflow() or (self.distribution, self.precision) == ("none", "float32"):
            return {}
        return {"distribution": self.distribution, "precision": self.precision}

    def run(self, context: ExecutionContext) -> None:
        """Call `run_fn`, here or in processes of its own, and check what it exported."""
        from penstock.training.export import fulfil_export
        from penstock.training.history_pictures import draw_history
        from penstock.training.outcome import HISTORY_FILE, check_exported, keep_history
        from penstock.training.watch.epoch_metrics import complete_history

        check_declared(self.distribution, self.backend, self.jit_compile, self.doctor)
        require_backend(self.backend)
        fn_args = self._fn_args(context)
        if self.jit_compile is not None:
            context.log.info(
                "jit_compile=%s: followed by penstock.training.fit, and by model.compile(..., "
                "**fn_args.compile_kwargs)",
                self.jit_compile,
            )
        source = UserSource.of(
            context.project_root, self.module_file, self.run_fn, self.custom_config
        )
        is_here = self.runs_tensorflow() and context.hosts is None
        train = self._train_here if is_here else self._train_in_processes
        result = train(context, fn_args, source)
        if result.left_out:
            context.log.warning(
                "run_fn returned no numbers for %s: not kept in %s",
                ", ".join(map(repr, result.left_out)),
                HISTORY_FILE,
            )
        history = complete_history(result.history)
        # What trained without TensorFlow asks for the forms that need it.
        missing = fulfil_export(self.model.uri).missing
        if findings := read_findings(self.model_run.uri):
            context.report_verdict(summary_of(findings), ok=False)
        check_exported(fn_args, result.run_fn, context.log, missing)
        context.report_metrics(keep_history(history, self.model_run.uri, context.log))
        draw_history(history, self.model_run.uri, context.log)
        if self.distribution != "none":
            context.report_metrics({"replicas": result.replicas})

    def _train_here(
        self, context: ExecutionContext, fn_args: FnArgs, source: UserSource
    ) -> TrainingResult:
        from penstock.training.training_process import prepare_process, train

        prepare_process(fn_args)
        fn_args.custom_config = source.custom_config()
        return train(source.load(), fn_args, context.log)

    def _train_in_processes(
        self, context: ExecutionContext, fn_args: FnArgs, source: UserSource
    ) -> TrainingResult:
        from penstock.training.workers.group import Job, train
        from penstock.training.workers.members import Shape

        resources = context.resources
        shape = Shape(
            self.distribution,
            self.backend,
            resources.replicas,
            resources.parameter_servers,
            context.accelerators,
            resources.cpu,
            context.deterministic,
        )
        job = Job(shape, fn_args, source, context.working_dir, staged=context.staged)
        outcome = train(job, context.log, context.hosts)
        if outcome.restarts or outcome.replaced:
            context.report_metrics(
                {"restarts": outcome.restarts, "replaced_workers": outcome.replaced}
            )
        return outcome.result

    def _fn_args(self, context: ExecutionContext) -> FnArgs:
        from penstock.training.fn_args_from_artifacts import fn_args_from_artifacts
        from penstock.tuning import read_best_hyperparameters

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
            custom_config=None,
            statistics=self.statistics,
        )
        fn_args.checkpoint_dir = context.checkpoint_dir
        fn_args.serving_model_dir = f"{self.model.uri}/{self.model.SERVING_FOLDER}"
        fn_args.eval_model_dir = f"{self.model.uri}/{self.model.EVAL_FOLDER}"
        fn_args.model_run_dir = self.model_run.uri
        fn_args.distribution, fn_args.backend = self.distribution, self.backend
        fn_args.precision, fn_args.jit_compile = self.precision, self.jit_compile
        fn_args.doctor, fn_args.doctor_ignore = self.doctor, tuple(self.doctor_ignore)
        if self.hyperparameters is not None:
            fn_args.hyperparameters = read_best_hyperparameters(self.hyperparameters.uri)
        return fn_args


def check_one_function(component: str, name: str, module_file: object, function: object) -> None:
    """Raise a `ValueError` unless there is either a module file or a function, but not both."""
    if (module_file is None) == (function is None):
        received = "neither" if module_file is None else "both"
        raise ValueError(
            f"{component} needs module_file (a file that defines {name}) or {name} (the function). "
            f"Received: {received}"
        )
