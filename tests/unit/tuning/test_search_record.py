"""A search that is stopped in the middle goes on with what has ended."""

import contextlib
import logging

import pytest

from penstock.artifacts import location
from penstock.tuning import SearchSettings, TunerFnResult, run_search
from penstock.tuning.kept_folder import KeptFolder
from penstock.tuning.project_folder import projects_below
from penstock.tuning.search_record import is_below

pytestmark = [
    pytest.mark.tensorflow,
    # keras-tuner 1.4.8 calls threading.currentThread().
    pytest.mark.filterwarnings("ignore::DeprecationWarning"),
    # Gaussian processes of three points.
    pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning"),
]


def make_tuner(kind, ran, stop_at=None):
    """A real search over a function; it is stopped in the trial that is the n-th to run."""
    import keras_tuner

    class Search(getattr(keras_tuner, kind)):
        def run_trial(self, trial, **_):
            ran.append(trial.trial_id)
            if len(ran) == stop_at:
                raise KeyboardInterrupt
            hp = trial.hyperparameters
            return {"score": hp.Int("a", 0, 3) + hp.Float("b", 0.0, 1.0, step=0.25)}

    space = keras_tuner.HyperParameters()
    space.Int("a", 0, 3)
    space.Float("b", 0.0, 1.0, step=0.25)
    extra = {"max_epochs": 5} if kind == "Hyperband" else {"max_trials": 9}
    if kind == "BayesianOptimization":
        extra["num_initial_points"] = 3
    return Search(
        objective=keras_tuner.Objective("score", "max"),
        hyperparameters=space,
        seed=4,
        project_name="search",
        overwrite=True,
        **extra,
    )


def search(kind, folder, stop_at=None):
    ran = []
    with projects_below(str(folder)):
        tuner = make_tuner(kind, ran, stop_at)
    settings = SearchSettings(folder=str(folder))
    try:
        found = run_search(TunerFnResult(tuner, {"verbose": 0}), settings)
    except KeyboardInterrupt:
        found = None
    return found, ran


@pytest.mark.parametrize(
    "kind", ["RandomSearch", "BayesianOptimization", "Hyperband", "GridSearch"]
)
def test_it_ends_as_an_unbroken_one_and_runs_no_trial_twice(kind, tmp_path):
    whole, all_ran = search(kind, tmp_path / "whole")
    stopped, first = search(kind, tmp_path / "broken", stop_at=6)
    assert stopped is None
    found, then = search(kind, tmp_path / "broken")
    assert [*first[:-1], *then] == all_ran
    assert then[0] == first[-1]  # the one that was running
    left = [{**each, "seconds": None} for each in found.trials]
    assert left == [{**each, "seconds": None} for each in whole.trials]
    assert found.best == whole.best
    assert all(each["seconds"] >= 0 for each in found.trials)


def test_a_project_elsewhere_is_kerastuners_own_affair(tmp_path, caplog):
    import keras_tuner

    class Search(keras_tuner.RandomSearch):
        def run_trial(self, trial):
            return trial.hyperparameters.Float("x", 0.0, 1.0)

    def make(overwrite):
        with projects_below(str(tmp_path / "execution")):
            return Search(
                max_trials=2, directory=str(tmp_path / "mine"), overwrite=overwrite, seed=1
            )

    run_search(TunerFnResult(make(False), {}), SearchSettings(folder=str(tmp_path / "execution")))
    assert len(make(False).oracle.trials) == 2
    run_search(TunerFnResult(make(False), {}))
    assert f"goes on with 2 trials that the tuner has found in {tmp_path / 'mine'}" in caplog.text
    assert len(make(True).oracle.trials) == 0


def test_what_lies_below_a_folder(tmp_path):
    assert is_below(str(tmp_path / "a/b"), str(tmp_path))
    assert is_below(str(tmp_path), str(tmp_path))
    assert not is_below(str(tmp_path) + "-other", str(tmp_path))


def test_another_machine_goes_on_by_what_is_kept_at_a_url(tmp_path):
    url = "memory://kept-tuner/checkpoints"
    log = logging.getLogger("test")

    def attempt(folder, stop_at=None):
        kept = KeptFolder(str(folder), url, log)
        kept.fetch()
        ran = []
        with projects_below(str(folder)):
            tuner = make_tuner("GridSearch", ran, stop_at)
        settings = SearchSettings(folder=str(folder), kept=kept)
        with contextlib.suppress(KeyboardInterrupt):
            run_search(TunerFnResult(tuner, {"verbose": 0}), settings)
        return ran

    first = attempt(tmp_path / "here", stop_at=4)
    then = attempt(tmp_path / "there")
    assert [*first[:-1], *then] == list("012345678")
    location.remove(url)
