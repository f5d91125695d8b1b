import json

import pytest

from penstock.progress import telling
from penstock.tuning import (
    SearchSettings,
    TunerFnResult,
    read_best_hyperparameters,
    run_search,
    write_best_hyperparameters,
    write_results,
)
from penstock.tuning.keras_search import check_result

pytestmark = [
    pytest.mark.tensorflow,
    # keras-tuner 1.4.8 calls threading.currentThread().
    pytest.mark.filterwarnings("ignore::DeprecationWarning"),
]


@pytest.fixture
def make_tuner(tmp_path):
    """A real search over a function instead of a model."""

    def make(score, max_trials=5):
        import keras_tuner

        class Search(keras_tuner.RandomSearch):
            def run_trial(self, trial, *args, **kwargs):
                return score(trial.hyperparameters.Float("x", -1.0, 1.0))

        return Search(
            objective=keras_tuner.Objective("score", "max"),
            max_trials=max_trials,
            seed=3,
            directory=str(tmp_path),
            project_name="search",
            max_consecutive_failed_trials=max_trials + 1,
        )

    return make


def test_the_best_trial_comes_first_and_is_written_as_tfx_does(make_tuner, tmp_path):
    import keras_tuner

    tuner = make_tuner(lambda x: {"score": 1 - x * x})
    trials, best = run_search(TunerFnResult(tuner, {}))
    scores = [trial["score"] for trial in trials]
    assert scores == sorted(scores, reverse=True)
    assert len(trials) == 5
    write_best_hyperparameters(best, str(tmp_path / "best"))
    config = read_best_hyperparameters(str(tmp_path / "best"))
    assert config["values"] == trials[0]["hyperparameters"]
    assert keras_tuner.HyperParameters.from_config(config).get("x") == config["values"]["x"]
    write_results(trials, str(tmp_path / "results"))
    assert json.loads((tmp_path / "results/tuner_results.json").read_text()) == trials


def test_trials_and_their_epochs_are_told(tmp_path):
    import keras
    import keras_tuner
    import numpy as np

    from penstock.training import TrainingProgress

    def build(hyperparameters):
        model = keras.Sequential([keras.Input((1,)), keras.layers.Dense(1)])
        model.compile(loss="mse")
        hyperparameters.Int("x", 1, 9)
        return model

    tuner = keras_tuner.RandomSearch(
        build, objective="val_loss", max_trials=2, directory=str(tmp_path)
    )
    data = np.zeros((4, 1))
    fit = {"x": data, "y": data, "validation_data": (data, data), "epochs": 2, "verbose": 0}
    told = []
    with telling(told.append):
        run_search(TunerFnResult(tuner, fit), SearchSettings(callbacks=[TrainingProgress()]))
    assert "callbacks" not in fit
    assert told[0] == "trial 1 of 2"
    assert "trial 1 of 2, 2 of 2 epochs" in told
    assert "trial 2 of 2, best val_loss 0, 2 of 2 epochs" in told


def test_failed_trials_come_last_with_their_reason(make_tuner):
    import keras_tuner

    def score(x):
        if x > 0:
            raise keras_tuner.errors.FailedTrialError("too large")
        return {"score": x}

    trials = run_search(TunerFnResult(make_tuner(score), {})).trials
    states = [trial["status"] for trial in trials]
    assert states == sorted(states)
    assert {"COMPLETED", "FAILED"} == set(states)
    assert "too large" in trials[-1]["message"]


def test_a_search_without_a_result_says_why(make_tuner):
    import keras_tuner

    def score(x):
        raise keras_tuner.errors.FailedTrialError("never works")

    with pytest.raises(ValueError, match="None of 5 trials completed. Last errors: .*never works"):
        run_search(TunerFnResult(make_tuner(score), {}))


def test_tuner_fn_must_return_a_result():
    with pytest.raises(
        ValueError,
        match=r"must return TunerFnResult\(tuner, fit_kwargs\) or Optuna.* Received: NoneType",
    ):
        check_result(None)
    with pytest.raises(ValueError, match="arguments of tuner.search by name.*Received: list"):
        check_result(TunerFnResult(object(), []))
    with pytest.raises(ValueError, match="Received: object without search, get_best"):
        check_result(TunerFnResult(object(), {}))


def test_missing_hyperparameters_are_named(tmp_path):
    with pytest.raises(
        FileNotFoundError, match=r"No hyperparameters at .*best_hyperparameters\.txt"
    ):
        read_best_hyperparameters(str(tmp_path))


@pytest.mark.filterwarnings("ignore::RuntimeWarning")
def test_a_score_that_is_nan_is_none_and_last(make_tuner, tmp_path):
    tuner = make_tuner(lambda x: {"score": x if x > 0 else float("nan"), "other": float("inf")})
    trials = run_search(TunerFnResult(tuner, None)).trials
    scores = [trial["score"] for trial in trials]
    known = [score for score in scores if score is not None]
    assert known == sorted(known, reverse=True) == scores[: len(known)]
    assert 0 < len(known) < len(scores)
    write_results(trials, str(tmp_path))
    text = (tmp_path / "tuner_results.json").read_text()
    assert "NaN" not in text
    assert "Infinity" not in text


@pytest.mark.filterwarnings("ignore::RuntimeWarning")
def test_only_nan_scores_are_said_to_be_that(make_tuner):
    tuner = make_tuner(lambda x: {"score": float("nan")}, max_trials=2)
    with pytest.raises(
        ValueError, match="None of 2 trials completed. The objective 'score' was NaN"
    ):
        run_search(TunerFnResult(tuner, {}))


def test_an_objective_that_the_model_does_not_report_is_named(make_tuner):
    def score(x):
        raise KeyError("score")

    with pytest.raises(ValueError, match="The model reports no 'score', which is the tuner's obj"):
        run_search(TunerFnResult(make_tuner(score, max_trials=2), {}))
