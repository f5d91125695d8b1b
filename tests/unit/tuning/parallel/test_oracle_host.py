"""The oracle that several workers ask: what they are answered, and what becomes of their trials."""

import logging

import pytest

from penstock.progress import telling
from penstock.tuning.parallel.conversation import Call
from penstock.tuning.parallel.oracle_host import OracleHost, check_parallel
from penstock.tuning.parallel.workers import LATER
from penstock.tuning.search_record import SearchRecord

pytestmark = [
    pytest.mark.tensorflow,
    # keras-tuner 1.4.8 calls threading.currentThread().
    pytest.mark.filterwarnings("ignore::DeprecationWarning"),
]


@pytest.fixture
def make_host(tmp_path):
    def make(kind="RandomSearch", **arguments):
        import keras_tuner

        class Search(getattr(keras_tuner, kind)):
            def run_trial(self, trial):
                raise AssertionError("trials run elsewhere")

        space = keras_tuner.HyperParameters()
        space.Int("a", 0, 9)
        tuner = Search(
            objective=keras_tuner.Objective("score", "max"),
            hyperparameters=space,
            directory=str(tmp_path),
            seed=1,
            **arguments,
        )
        tuner.oracle.verbose = 0
        return OracleHost(tuner, SearchRecord(), logging.getLogger("test")), tuner.oracle

    return make


def begin(host, worker):
    return host.answer(worker, Call("create_trial", ("ignored",)))


def end(host, trial, score):
    host.answer(0, Call("update_trial", (trial.trial_id, {"score": score})))
    trial.status = "COMPLETED"
    host.answer(0, Call("end_trial", (trial,)))


def test_how_far_it_is(make_host):
    host, _ = make_host(max_trials=3)
    told = []
    with telling(told.append):
        host.tell()
        first, second = begin(host, 0), begin(host, 1)
        host.tell()
        end(host, first, 0.25)
        begin(host, 0)
        host.tell()
        end(host, second, 0.75)
        host.tell()
    assert told == [
        "trial 2 of 3 (2 running)",
        "trial 3 of 3 (2 running), best score 0.25",
        "trial 3 of 3, best score 0.75",
    ]


def test_a_lost_trial_is_given_to_the_next_process_and_at_last_given_up(make_host, caplog):
    host, oracle = make_host(max_trials=1)
    for attempt in range(3):
        assert begin(host, 0).trial_id == "0"
        assert host.lost(0, "was killed by SIGKILL")
        assert len(caplog.messages) == attempt + 1
    assert caplog.messages[-1] == (
        "trial 0 failed: Its process was killed by SIGKILL, and so did 2 before it."
    )
    assert oracle.trials["0"].status == "FAILED"
    assert begin(host, 0).status == "STOPPED"
    assert not host.lost(0, "was killed by SIGKILL")


def test_a_worker_waits_while_an_oracle_has_nothing_for_it(make_host):
    host, _ = make_host("Hyperband", max_epochs=2, factor=2)
    trials = [begin(host, worker) for worker in range(10)]
    assert LATER in trials
    for trial in trials[: trials.index(LATER)]:
        end(host, trial, 1.0)
    assert begin(host, 9) is not LATER


def test_a_worker_waits_while_a_trial_may_find_what_to_search(make_host):
    host, oracle = make_host(max_trials=3)
    oracle.hyperparameters._space.clear()  # as of a tuner whose `run_trial` says what there is
    oracle.hyperparameters._hps.clear()
    oracle.hyperparameters.values.clear()
    first = begin(host, 0)
    assert begin(host, 1) is LATER
    first.hyperparameters.Int("b", 0, 99)
    end(host, first, 0.5)
    assert begin(host, 1).status == begin(host, 0).status == "RUNNING"
    assert (
        begin(host, 2) is LATER
    )  # max_trials is reached, but one of these may have to be run again


def test_what_a_worker_cannot_call_is_named(make_host):
    host, _ = make_host(max_trials=1)
    with pytest.raises(AttributeError, match="cannot call oracle.set_state. It has create_trial"):
        host.answer(0, Call("set_state", ({},)))


def test_a_tuner_that_is_not_kerastuners_is_refused():
    class Mine:
        oracle = None

    with pytest.raises(ValueError, match=r"Mine is none. Set num_parallel_trials to 1"):
        check_parallel(Mine())
