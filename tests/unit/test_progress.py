import math
import threading

import numpy as np
import pytest

from penstock.progress import (
    at_most_every,
    describe,
    report,
    report_epoch,
    reported_epochs,
    stage,
    tell,
    telling,
)


@pytest.fixture
def told():
    texts = []
    with telling(texts.append):
        yield texts


def test_reports_are_told_in_words(told):
    report(3, 3, "epochs", "batch 1")
    report(52_000, 52_000)
    assert told == ["3 of 3 epochs, batch 1", "52,000 of 52,000 rows"]
    assert describe(1_000, None, "rows") == "1,000 rows"
    assert describe(2, 10, "epochs") == "2 of 10 epochs"


def test_of_many_reports_a_few_are_told_and_the_last(told):
    for done in range(100_001):
        report(done, 100_000)
    assert 2 <= len(told) < 100
    assert told[-1] == "100,000 of 100,000 rows"


def test_a_stage_comes_before_what_is_told_in_it(told):
    with stage("trial 1 of 2"):
        tell("3 of 5 epochs")
    tell("done")
    assert told == ["trial 1 of 2", "trial 1 of 2, 3 of 5 epochs", "done"]


def test_nobody_is_told_outside_of_the_block():
    texts = []
    with telling(texts.append):
        pass
    report(1, 1)
    assert texts == []


def test_reports_of_other_threads_are_told(told):
    thread = threading.Thread(target=report, args=(1, 1, "files"))
    thread.start()
    thread.join()
    assert told == ["1 of 1 files"]


def test_a_patient_listener_is_told_seldom():
    texts = []
    listen = at_most_every(1000, texts.append)
    listen("early")
    assert texts == []
    listen = at_most_every(0, texts.append)
    listen("a")
    listen("b")
    assert texts == ["a", "b"]


def test_epochs_are_passed_on_as_numbers():
    epochs = []
    report_epoch(1, {"loss": 0.5})
    with telling(None, lambda epoch, metrics: epochs.append((epoch, metrics))):
        report_epoch(1, {"loss": np.float32(0.5)})
        report_epoch(2, {"loss": math.inf})
        with stage("trial 1 of 2"):
            report_epoch(9, {"loss": 9.0})
        assert sorted(reported_epochs()) == [1, 2]
        with pytest.raises(ValueError, match="from 1"):
            report_epoch(0, {})
        with pytest.raises(TypeError):
            report_epoch(3, {"loss": None})
    assert epochs == [(1, {"loss": 0.5}), (2, {"loss": math.inf})]
    assert type(epochs[0][1]["loss"]) is float
    assert reported_epochs() == {}
