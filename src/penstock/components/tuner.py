"""Tuner: searches hyperparameters with the user's `tuner_fn`."""

from __future__ import annotations

import contextlib
import dataclasses
import importlib.util
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, ClassVar

from penstock.artifacts import (
    Examples,
    HyperParameters,
    Model,
    Schema,
    TransformGraph,
    TunerResults,
    location,
)
from penstock.components.named_function import as_function
from penstock.components.trainer import check_one_function
from penstock.components.tuner_process import TunerProcess, run_trials, search_settings
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
from penstock.training.args import EvalArgs, TrainArgs, TuneArgs
from penstock.training.declared import check_declared, require_backend
from penstock.training.reproducibility import check_precision

if TYPE_CHECKING:
    from penstock.training.fn_args import FnArgs
    from penstock.tuning import FinishedSearch
    from penstock.tuning.parallel.workers import TrialWorkers

_DISTRIBUTIONS = ("none", "mirrored")
"""Those of a trial, which runs in one process."""


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
        tune_args: How the search runs, such as how many trials at a time.
        custom_config: Passed to `tuner_fn`.
        distribution: "none" or "mirrored", of each trial; sets `fn_args.strategy`, which `tuner_fn` gives
            to its tuner as `distribution_strategy`.
        backend: Keras's backend: "tensorflow", "jax" or "torch".
        precision: Keras's dtype policy, such as "float32" or "mixed_bfloat16".
        jit_compile: Whether models are compiled by XLA; None leaves it to Keras. A module that compiles
            its models passes it on: `model.compile(..., **fn_args.compile_kwargs)`.

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
    distribution: str = "none"
    backend: str = "tensorflow"
    precision: str = "float32"
    jit_compile: bool | None = None
    best_hyperparameters: Output[HyperParameters] = output()
    tuner_results: Output[TunerResults] = output()

    def check(self) -> None:
        """Check that there is one user function, and that what is declared goes together."""
        self.tuner_fn = as_function("tuner_fn", self.tuner_fn)
        check_one_function("Tuner", "tuner_fn", self.module_file, self.tuner_fn)
        self._check_declared()
        check_precision(self.precision)

    def _check_declared(self) -> None:
        check_declared(self.distribution, self.backend, self.jit_compile)
        if self.distribution not in _DISTRIBUTIONS:
            raise ValueError(
                f"A trial runs in one process: a Tuner's distribution is one of {list(_DISTRIBUTIONS)}. "
                f"Received: {self.distribution!r}. TuneArgs(num_parallel_trials=...) runs several trials."
            )

    def check_resources(self, resources: Resources) -> None:
        """Check that each parallel trial can have the resources of a replica."""
        if resources.parameter_servers:
            raise ValueError(
                "A trial has no parameter servers. "
                f"Received: Resources(parameter_servers={resources.parameter_servers})"
            )
        trials = self.tune_args.num_parallel_trials
        if resources.replicas not in (1, trials):
            raise ValueError(
                "Resources(replicas=...) of a Tuner gives each of its parallel trials what one asks for: "
                f"set TuneArgs(num_parallel_trials={resources.replicas}). Received: "
                f"replicas={resources.replicas}, num_parallel_trials={trials}"
            )

    def runs_tensorflow(self) -> bool:
        """Return whether trials train by TensorFlow."""
        return self.backend == "tensorflow"

    def keyed_libraries(self) -> Sequence[str]:
        """Return the libraries that decide about the trials."""
        backend = () if self.runs_tensorflow() else (self.backend,)
        # Whether it searches is only known from the module.
        optuna = ("optuna",) if importlib.util.find_spec("optuna") else ()
        return (*backend, *self.LIBRARIES, *optuna)

    def worker_profile(self) -> Mapping[str, Any]:
        """Return the settings that a process cannot change once Keras has been imported."""
        parallel = self.tune_args.num_parallel_trials > 1
        if not self.runs_tensorflow():
            return {"environment": {"KERAS_BACKEND": self.backend}, "parallel": parallel}
        if not parallel and (self.distribution, self.precision) == ("none", "float32"):
            return {}
        return {
            "distribution": self.distribution,
            "precision": self.precision,
            "parallel": parallel,
        }

    def run(self, context: ExecutionContext) -> None:
        """Run the search and write its results."""
        from penstock.tuning import write_best_hyperparameters, write_results

        found = self._search(context)
        write_best_hyperparameters(found.best, self.best_hyperparameters.uri)
        write_results(found.trials, self.tuner_results.uri)
        context.log.info("Best of %d trials: %s", len(found.trials), found.best["values"])
        best = found.trials[0]["score"]
        if best is not None:
            context.report_metrics({"best_score": best, "trials": len(found.trials)})

    def _search(self, context: ExecutionContext) -> FinishedSearch:
        from penstock.training.training_process import prepare_process
        from penstock.training.user_functions import user_function
        from penstock.tuning.kept_folder import KeptFolder
        from penstock.tuning.parallel.oracle_host import check_folders_apart
        from penstock.tuning.project_folder import projects_below
        from penstock.tuning.searching import search

        self._check_declared()
        require_backend(self.backend)
        fn_args = self._fn_args(context)
        kept = None
        if not location.is_local(context.checkpoint_dir):
            kept = KeptFolder(context.working_dir, context.checkpoint_dir, context.log)
            kept.fetch()
        with contextlib.ExitStack() as ends:
            workers = None
            if self.tune_args.num_parallel_trials > 1:
                workers = ends.enter_context(self._workers(fn_args, context))
                _leave_accelerators(context.accelerators, self.backend)
            prepare_process(fn_args)
            source: Any = self.tuner_fn
            if self.module_file is not None:
                source = context.load_module(self.module_file)
            tuner_fn = user_function(source, "tuner_fn")
            with projects_below(str(fn_args.working_dir)):
                result = tuner_fn(fn_args)
            if context.hosts is not None:
                check_folders_apart(result, str(fn_args.working_dir), kept is None)
            settings = dataclasses.replace(search_settings(fn_args), log=context.log, kept=kept)
            return search(result, fn_args, settings, workers)

    def _fn_args(self, context: ExecutionContext) -> FnArgs:
        from penstock.training.fn_args_from_artifacts import fn_args_from_artifacts

        # Trials that have ended outlive the attempt there.
        folder = context.checkpoint_dir
        fn_args = fn_args_from_artifacts(
            working_dir=folder if location.is_local(folder) else context.working_dir,
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
        fn_args.distribution, fn_args.precision = self.distribution, self.precision
        fn_args.backend, fn_args.jit_compile = self.backend, self.jit_compile
        return fn_args

    @contextlib.contextmanager
    def _workers(self, fn_args: FnArgs, context: ExecutionContext) -> Iterator[TrialWorkers]:
        """Start the processes that run trials; they import and call `tuner_fn` while this one does."""
        from penstock.io.processes.hosts import Place, Process, ThisMachine
        from penstock.tuning.parallel.devices import worker_environments
        from penstock.tuning.parallel.workers import TrialWorkers

        count = self.tune_args.num_parallel_trials
        source = UserSource.of(
            context.project_root, self.module_file, self.tuner_fn, self.custom_config
        )
        process = TunerProcess.of(source, fn_args)
        cores = context.resources.cpu
        environments = worker_environments(
            count,
            context.accelerators,
            cores=cores * context.resources.replicas if cores is not None else None,
        )
        names = [Place(f"trial worker {number + 1}") for number in range(count)]
        with (context.hosts or ThisMachine()).hold(names) as places:
            if places.each_has_a_machine:
                environments = [{} for _ in range(count)]
                process = dataclasses.replace(process, staged=context.staged)

            def start(number: int) -> Process:
                environment = {**environments[number], "KERAS_BACKEND": self.backend}
                return places.start(number, run_trials, process, environment)

            with TrialWorkers(start, count) as workers:
                yield workers


def _leave_accelerators(accelerators: Sequence[str], backend: str) -> None:
    """Keep this process off the accelerators, whose memory its workers need."""
    if not accelerators:
        return
    if backend == "tensorflow":
        import tensorflow as tf

        for kind in ("GPU", "TPU"):
            tf.config.set_visible_devices([], kind)
    elif backend == "jax":
        import jax

        jax.config.update("jax_platforms", "cpu")
    # PyTorch takes memory only for the model that finds out what there is to search.
