"""Searches by Optuna: real studies over functions."""

import builtins
import json
import logging

import pytest

from penstock.progress import telling
from penstock.tuning import (
    OptunaSearch,
    SearchSettings,
    read_best_hyperparameters,
    write_best_hyperparameters,
    write_results,
)
from penstock.tuning.failed_trials import TooManyFailures
from penstock.tuning.parallel.conversation import Call
from penstock.tuning.searching import search
from penstock.tuning.studies.objective import Outcome
from penstock.tuning.studies.study_host import StudyHost

optuna = pytest.importorskip("optuna")


def parabola(trial, fn_args):
    x = trial.suggest_float("x", -2.0, 2.0)
    trial.set_user_attr("distance", abs(x - 1))
    trial.set_user_attr("note", "not a number")
    return (x - 1) ** 2


def make(objective=parabola, n_trials=6, **arguments):
    arguments.setdefault("sampler", optuna.samplers.TPESampler(seed=1, n_startup_trials=3))
    return OptunaSearch(objective, n_trials, **arguments)


def without_times(found):
    return [{**each, "seconds": None} for each in found.trials]


def test_the_best_trial_comes_first(tmp_path):
    found = search(make(), None, SearchSettings())
    scores = [trial["score"] for trial in found.trials]
    assert scores == sorted(scores)
    assert len(scores) == 6
    best = found.trials[0]
    assert best["hyperparameters"] == found.best["values"]
    assert best["metrics"] == {"distance": pytest.approx(best["score"] ** 0.5)}
    assert best["status"] == "COMPLETED"
    assert best["seconds"] >= 0
    write_results(found.trials, str(tmp_path))
    assert json.loads((tmp_path / "tuner_results.json").read_text()) == found.trials


@pytest.mark.tensorflow
def test_the_run_seeds_a_sampler_of_ours():
    first, again, other = (
        search(
            make(sampler=None, n_trials=3, direction="maximize"), None, SearchSettings(seed=seed)
        )
        for seed in (5, 5, 6)
    )
    assert first.trials[0]["score"] == max(each["score"] for each in first.trials)
    assert without_times(first) == without_times(again) != without_times(other)


@pytest.mark.tensorflow
def test_best_hyperparameters_are_kerastuners(tmp_path):
    import keras_tuner

    def objective(trial, fn_args):
        trial.suggest_float("rate", 1e-4, 1e-1, log=True)
        trial.suggest_float("dropout", 0.0, 0.5, step=0.1)
        trial.suggest_int("units", 4, 64, log=True)
        trial.suggest_int("layers", 1, 3)
        trial.suggest_categorical("kind", ["a", "b"])
        trial.suggest_categorical("bias", [True, False])
        return 0.0 if trial.suggest_categorical("mixed", [None, "relu"]) is None else 1.0

    found = search(make(objective, n_trials=2), None, SearchSettings())
    write_best_hyperparameters(found.best, str(tmp_path))
    config = read_best_hyperparameters(str(tmp_path))
    assert config["values"] == found.trials[0]["hyperparameters"]
    hyperparameters = keras_tuner.HyperParameters.from_config(config)
    assert hyperparameters.values == config["values"]
    assert {each.name: type(each).__name__ for each in hyperparameters.space} == {
        "rate": "Float", "dropout": "Float", "units": "Int", "layers": "Int", "kind": "Choice",
        "bias": "Choice",
    }  # fmt: skip
    # A model that is built with them gets the values.
    assert hyperparameters.Int("layers", 1, 3) == config["values"]["layers"]
    assert hyperparameters.Float("rate", 1e-4, 1e-1, sampling="log") == config["values"]["rate"]


def test_pruned_trials_are_in_the_table_with_where_they_ended():
    def objective(trial, fn_args):
        x = trial.suggest_float("x", 0.0, 1.0)
        for step in range(3):
            trial.report(x if trial.number else 0.0, step)
            if trial.should_prune():
                raise optuna.TrialPruned
        return x if trial.number else 0.0

    pruner = optuna.pruners.MedianPruner(n_startup_trials=1, n_warmup_steps=1)
    told = []
    with telling(told.append):
        found = search(make(objective, n_trials=4, pruner=pruner), None, SearchSettings())
    assert [each["status"] for each in found.trials] == ["COMPLETED", *["PRUNED"] * 3]
    pruned = found.trials[1]
    assert pruned["score"] is None
    assert pruned["message"] == f"pruned at step 1 with {pruned['hyperparameters']['x']:.4g}"
    assert told[0] == "trial 1 of 4"
    assert told[-1] == "trial 4 of 4, 2 pruned, best 0"


def test_a_trial_that_raises_fails_alone_and_three_in_a_row_end_the_search(caplog):
    def objective(trial, fn_args):
        if trial.number in (1, 3, 4, 5):
            raise ValueError(f"not {trial.number}")
        return trial.number

    found = search(make(objective, n_trials=3), None, SearchSettings())
    assert [each["status"] for each in found.trials] == ["COMPLETED", "COMPLETED", "FAILED"]
    assert found.trials[-1]["message"].endswith("ValueError: not 1\n")
    assert "trial 1 failed: ValueError: not 1 (" in caplog.text
    assert "test_optuna_search.py, line " in caplog.text
    with pytest.raises(
        TooManyFailures, match=r"3 trials failed one after another. The last: ValueError: not 5 \("
    ):
        search(make(objective, n_trials=9), None, SearchSettings())


@pytest.mark.parametrize(
    ("returned", "said"),
    [(float("nan"), "objective returned nan"), ("high", "objective returned 'high', not a number")],
)
def test_a_score_that_is_none_fails_the_trial(returned, said):
    with pytest.raises(ValueError, match=f"None of 1 trials completed.*{said}"):
        search(make(lambda trial, fn_args: returned, n_trials=1), None, SearchSettings())


def test_a_search_that_was_stopped_ends_as_an_unbroken_one(tmp_path):
    whole = search(make(n_trials=8), None, SearchSettings(folder=str(tmp_path / "whole")))
    ran = []

    def stopped(trial, fn_args):
        ran.append(trial.number)
        if len(ran) == 5:
            raise KeyboardInterrupt
        return parabola(trial, fn_args)

    settings = SearchSettings(folder=str(tmp_path / "broken"))
    with pytest.raises(KeyboardInterrupt):
        search(make(stopped, n_trials=8), None, settings)
    found = search(make(stopped, n_trials=8), None, settings)
    assert ran == [0, 1, 2, 3, 4, 4, 5, 6, 7]
    assert without_times(found) == without_times(whole)


def test_failed_trials_of_an_attempt_that_gave_up_are_run_again(tmp_path):
    def fails(trial, fn_args):
        trial.suggest_float("x", 0.0, 1.0)
        raise OSError("no disk")

    settings = SearchSettings(folder=str(tmp_path))
    with pytest.raises(TooManyFailures):
        search(make(fails, n_trials=5), None, settings)
    found = search(make(n_trials=5), None, settings)
    assert [each["status"] for each in found.trials] == ["COMPLETED"] * 5


def test_trials_of_workers_that_die(tmp_path, caplog):
    caplog.set_level(logging.INFO)
    host = StudyHost(make(n_trials=2), SearchSettings(folder=str(tmp_path)))
    value = None
    for loss in range(3):
        assert host.answer(1, Call("begin")) == 0
        suggested = host.answer(1, Call("suggest_float", ("x", 0.0, 1.0)))
        assert value in (None, suggested)  # the same values again
        value = suggested
        assert host.lost(1, "was killed by SIGKILL")
        assert f"({loss + 1} of 2)" in caplog.messages[-1] or loss == 2
    assert "and so did 2 before it" in caplog.messages[-1]
    assert not host.lost(1, "was killed by SIGKILL")
    # The other one is running when this process dies, too; it is run again with its values.
    number = host.answer(0, Call("begin"))
    assert host.answer(1, Call("begin")) is None
    value = host.answer(0, Call("suggest_float", ("x", 0.0, 1.0)))
    host._record.save()
    again = StudyHost(make(n_trials=2), SearchSettings(folder=str(tmp_path)))
    assert caplog.messages[-1].startswith("The search goes on after 1 finished trials")
    assert again.answer(0, Call("begin")) == number
    assert again.answer(0, Call("suggest_float", ("x", 0.0, 1.0))) == value
    with pytest.raises(AttributeError, match="has no 'study'"):
        again.answer(0, Call("study"))
    again.answer(0, Call("end", (Outcome("COMPLETE", 0.5),)))
    assert [each["status"] for each in again.finish().trials] == ["COMPLETED", "FAILED"]


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        ({"objective": 3}, TypeError, r"a function objective\(trial, fn_args\). Received: 3"),
        ({"n_trials": 0}, ValueError, "n_trials is 1 or more. Received: 0"),
        ({"n_trials": "9"}, TypeError, "n_trials is a whole number. Received: '9'"),
        ({"direction": "max"}, ValueError, "one of .'minimize', 'maximize'.. Received: 'max'"),
        ({"sampler": "tpe"}, TypeError, "an object of optuna.samplers. Received: 'tpe'"),
    ],
)
def test_what_is_wrong_is_said(arguments, error, message):
    with pytest.raises(error, match=message):
        make(**arguments)


def test_without_optuna_the_extra_is_named(monkeypatch):
    original = builtins.__import__

    def without(name, *rest):
        if name == "optuna":
            raise ImportError(name)
        return original(name, *rest)

    monkeypatch.setattr(builtins, "__import__", without)
    with pytest.raises(ImportError, match=r"needs Optuna.*penstock-ml\[optuna\]"):
        OptunaSearch(parabola, 3)


@pytest.mark.tensorflow
def test_the_callback_reports_epochs_and_ends_the_trial():
    import keras
    import numpy as np

    from penstock.tuning import OptunaPruning

    data = np.ones((8, 1))

    def objective(trial, fn_args):
        model = keras.Sequential([keras.Input((1,)), keras.layers.Dense(1)])
        model.compile(loss="mse")
        pruning = OptunaPruning(trial, fn_args)
        model.fit(data, data, epochs=3, verbose=0, callbacks=[pruning])
        return 1.0

    pruner = optuna.pruners.ThresholdPruner(upper=0.0, n_warmup_steps=1)
    found = StudyHost(make(objective, n_trials=1, pruner=pruner), SearchSettings())
    from penstock.tuning.studies.objective import run_objective

    made = make(objective)
    trial = found.begin()
    assert run_objective(made, trial, "loss") == Outcome("PRUNED")
    assert sorted(found._study.trials[0].intermediate_values) == [0, 1]
    outcome = run_objective(made, trial, "val_auc")
    assert "OptunaPruning(monitor='val_auc'): the model has no such metric. It has: loss" in (
        outcome.message
    )
