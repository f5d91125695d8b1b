"""A process that runs trials for a Tuner: it calls `tuner_fn` itself, since data cannot be sent."""

from __future__ import annotations

import contextlib
import dataclasses
import os
from typing import TYPE_CHECKING, Any

from penstock.artifacts.staged import NOTHING_STAGED, StagedPlaces
from penstock.components.user_source import UserSource

if TYPE_CHECKING:
    from penstock.training.fn_args import FnArgs
    from penstock.tuning import SearchSettings


@dataclasses.dataclass(frozen=True)
class TunerProcess:
    """What a process needs to call `tuner_fn`.

    Attributes:
        source: The user's code.
        fn_args: Without what cannot be sent: `data_accessor` and `custom_config`.
        staged: Places that it must fill itself, since no other process of its machine has.
    """

    source: UserSource
    fn_args: FnArgs
    staged: StagedPlaces = NOTHING_STAGED

    @classmethod
    def of(cls, source: UserSource, fn_args: FnArgs) -> TunerProcess:
        """Return what a process needs to call `tuner_fn` as this one does."""
        return cls(source, dataclasses.replace(fn_args, data_accessor=None, custom_config={}))


def search_settings(fn_args: FnArgs) -> SearchSettings:
    """Return how a search runs in this process.

    Args:
        fn_args: What `tuner_fn` is called with.
    """
    from penstock.training import TrainingProgress
    from penstock.training.reproducibility import make_reproducible, set_precision
    from penstock.tuning import SearchSettings

    seed = fn_args.seed
    if seed is None and fn_args.deterministic:
        seed = 0
    precision = fn_args.precision
    return SearchSettings(
        seed=seed,
        folder=fn_args.working_dir,
        callbacks=(TrainingProgress(),),
        seed_process=lambda number: make_reproducible(number, backend=fn_args.backend),
        # KerasTuner forgets the dtype policy before each model.
        before_build=None if precision == "float32" else lambda: set_precision(precision),
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
    from penstock.training.data_accessor import create_data_accessor
    from penstock.training.reproducibility import make_reproducible
    from penstock.training.training_process import prepare_process
    from penstock.training.user_functions import user_function
    from penstock.tuning.project_folder import projects_below
    from penstock.tuning.searching import work

    given = process.fn_args
    process.staged.fetch_inputs()
    if given.working_dir:
        os.makedirs(given.working_dir, exist_ok=True)
    prepare_process(given)
    make_reproducible(given.seed, deterministic=given.deterministic, backend=given.backend)
    fn_args = dataclasses.replace(
        given,
        data_accessor=create_data_accessor(given.file_format, given.payload_format),
        custom_config=process.source.custom_config(),
    )
    tuner_fn = user_function(process.source.load(), "tuner_fn")
    with projects_below(str(fn_args.working_dir), worker=True):
        result = tuner_fn(fn_args)
    work(line, result, fn_args, search_settings(fn_args))
