"""Calling the user's `tuner_fn`: in the process of a Tuner's attempt, and in those that run its trials."""

from __future__ import annotations

import contextlib
import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from penstock.dsl.main_module import install_main
from penstock.dsl.module_files import import_module_file
from penstock.dsl.references import import_from
from penstock.dsl.values import decode
from penstock.training.fn_args import FnArgs
from penstock.tuning import SearchSettings


@dataclass(frozen=True)
class TunerProcess:
    """What a process needs to call `tuner_fn`, as values that travel to another process.

    Attributes:
        function: The function, as `penstock.dsl.values.encode` writes it; None with a module file.
        module_file: The file that defines `tuner_fn`, or None.
        main_source: Source of the notebook that defines it, or None.
        project_root: Folder that user modules are imported from.
        arguments: Of `fn_args_from_artifacts`.
        declared: Further fields of `FnArgs`, such as `distribution` and `precision`.
    """

    function: Any
    module_file: str | None
    main_source: str | None
    project_root: str
    arguments: Mapping[str, Any]
    declared: Mapping[str, Any]

    def prepare(self) -> FnArgs:
        """Settle devices and precision of this process, and return what `tuner_fn` is called with."""
        from penstock.training.fn_args_from_artifacts import fn_args_from_artifacts
        from penstock.training.training_process import prepare_process

        fn_args = fn_args_from_artifacts(**self.arguments)
        for name, value in self.declared.items():
            setattr(fn_args, name, value)
        prepare_process(fn_args)
        return fn_args

    def load(self) -> Callable[[FnArgs], Any]:
        """Import and return `tuner_fn`.

        Raises:
            UserFunctionError: If it is missing or takes other arguments.
        """
        from penstock.training.user_functions import user_function

        if self.module_file is not None:
            source: Any = import_module_file(self.module_file, self.project_root)
        else:
            source = decode(self.function)
        return user_function(source, "tuner_fn")

    def settings(self, fn_args: FnArgs, log: logging.Logger | None = None) -> SearchSettings:
        """Return how a search runs in this process."""
        from penstock.training import TrainingProgress
        from penstock.training.reproducibility import set_precision

        seed = fn_args.seed
        if seed is None and fn_args.deterministic:
            seed = 0
        precision = fn_args.precision
        return SearchSettings(
            seed=seed,
            folder=fn_args.working_dir,
            callbacks=(TrainingProgress(),),
            # KerasTuner forgets the dtype policy before each model.
            before_build=None if precision == "float32" else lambda: set_precision(precision),
            **({} if log is None else {"log": log}),
        )


def run_trials(connection: Any, process: TunerProcess) -> None:
    """Run trials for the Tuner that started this process, until it has no more.

    Args:
        connection: To the Tuner's process.
        process: What is needed to call `tuner_fn` here.
    """
    from penstock.tuning.parallel.conversation import ParentLine

    line = ParentLine(connection)
    try:
        _run_trials(line, process)
    except (EOFError, ConnectionError):
        raise  # nobody is there to be told
    except BaseException as error:
        line.fail(error)
        with contextlib.suppress(EOFError, OSError):
            connection.recv()  # it is ended once it was heard
    else:
        line.done()


def _run_trials(line: Any, process: TunerProcess) -> None:
    from penstock.training.reproducibility import make_reproducible
    from penstock.tuning.project_folder import projects_below
    from penstock.tuning.searching import work

    import_from(process.project_root)
    if process.main_source is not None:
        install_main(process.main_source)
    fn_args = process.prepare()
    make_reproducible(fn_args.seed, deterministic=fn_args.deterministic)
    tuner_fn = process.load()
    with projects_below(str(fn_args.working_dir), worker=True):
        result = tuner_fn(fn_args)
    work(line, result, fn_args, process.settings(fn_args))
