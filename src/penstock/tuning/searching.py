"""A search of either kind: by KerasTuner or by Optuna, in this process or in several."""

from __future__ import annotations

from typing import Any

from penstock.tuning.keras_search import FinishedSearch, SearchSettings, check_result, run_search
from penstock.tuning.parallel.conversation import ParentLine
from penstock.tuning.parallel.workers import TrialWorkers
from penstock.tuning.studies.optuna_search import OptunaSearch


def search(
    result: Any, fn_args: Any, settings: SearchSettings, workers: TrialWorkers | None = None
) -> FinishedSearch:
    """Run the search that `tuner_fn` returned.

    Args:
        result: A `TunerFnResult` or an `OptunaSearch`.
        fn_args: What `tuner_fn` was given.
        settings: How it runs.
        workers: Processes that run the trials; None runs them here, one after another.

    Raises:
        ValueError: If it is neither, no trial completed, or too many have failed in a row.
    """
    if isinstance(result, OptunaSearch):
        from penstock.tuning.studies.running import run_study
        from penstock.tuning.studies.study_host import StudyHost

        if workers is None:
            return run_study(result, fn_args, settings)
        host = StudyHost(result, settings)
        workers.serve(host)
        return host.finish()
    check_result(result)
    if workers is None:
        return run_search(result, settings)
    from penstock.tuning.parallel.oracle_host import run_parallel_search

    return run_parallel_search(result, workers, settings)


def work(line: ParentLine, result: Any, fn_args: Any, settings: SearchSettings) -> None:
    """Run trials for a parent that called `search` with workers, until there are no more.

    Args:
        line: To the parent.
        result: What `tuner_fn` returned in this process.
        fn_args: What `tuner_fn` was given.
        settings: How the search runs.
    """
    if isinstance(result, OptunaSearch):
        from penstock.tuning.studies.running import work_for_study

        work_for_study(line, result, fn_args, settings)
        return
    from penstock.tuning.parallel.oracle_worker import work_for_oracle

    check_result(result)
    work_for_oracle(line, result, settings)
