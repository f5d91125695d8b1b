import numpy as np

from penstock.progress import report_epoch, telling
from penstock.training.watch.epoch_metrics import complete_history, epoch_metrics


def reported(history, *, before=()):
    epochs = {}
    with telling(None, epochs.__setitem__):
        for epoch in before:
            report_epoch(epoch, {"known": 1.0})
        complete_history(history)
    return epochs


def test_metrics_of_several_values_become_several():
    logs = {"loss": np.float32(0.5), "f1": np.array([0.25, 0.75]), "by": "me", "none": None}
    assert epoch_metrics(logs) == {"loss": 0.5, "f1[0]": 0.25, "f1[1]": 0.75}
    assert epoch_metrics(None) == {}


def test_epochs_that_were_not_reported_are_reported_at_the_end():
    history = {"loss": [3.0, 2.0, 1.0], "val_loss": [2.0], "eval/auc": [0.9]}
    assert reported(history) == {1: {"loss": 3.0}, 2: {"loss": 2.0}, 3: {"loss": 1.0}}
    # An earlier attempt had reported the first one.
    assert reported(history, before=[2, 3]) == {2: {"known": 1.0}, 3: {"known": 1.0}}


def test_what_run_fn_does_not_return_is_what_it_reported():
    with telling(None, lambda epoch, metrics: None):
        report_epoch(1, {"loss": 2.0})
        report_epoch(2, {"loss": 1.0, "val_loss": 3.0})
        assert complete_history({}) == {"loss": [2.0, 1.0]}
        assert complete_history({"auc": [0.5]}) == {"auc": [0.5]}
    assert complete_history({}) == {}


def test_numbers_about_the_whole_training_are_no_epoch():
    assert reported({"auc": [0.9], "rows": [100.0]}) == {}
    assert reported({}) == {}
    assert reported({"loss": [0.5]}) == {1: {"loss": 0.5}}
