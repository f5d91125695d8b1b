import math

from penstock.cards.learning_curves import (
    learning_curves,
    points_of_epochs,
    points_of_history,
)
from penstock.cards.page_of_run import run_page


def test_training_and_validation_share_a_chart():
    history = {"loss": [3.0, 2.0], "val_loss": [3.5, None], "val_auc": [0.5, 0.75], "lr": [0.1]}
    text = str(learning_curves(points_of_history(history)))
    assert text.count("<svg") == 2
    assert "<h3>Loss</h3>" in text
    assert "<h3>Auc</h3>" in text
    assert "Lr" not in text
    assert text.count("validation</span>") == 1


def test_one_epoch_makes_no_curve_and_a_loss_that_is_no_number_no_point():
    assert learning_curves(points_of_history({"loss": [3.0]})) is None
    assert learning_curves({}) is None
    assert learning_curves({"loss": [(1, math.nan), (2, 1.0)]}) is None
    text = str(learning_curves({"loss": [(1, 3.0), (2, math.inf), (5, 1.0)]}))
    assert text.count("<circle") == 2


def test_epochs_keep_their_numbers():
    epochs = [
        {"epoch": 1, "metrics": {"loss": 3.0}},
        {"epoch": 4, "metrics": {"loss": None, "acc": 0.5}},
    ]
    assert points_of_epochs(epochs) == {"loss": [(1, 3.0)], "acc": [(4, 0.5)]}


def test_the_page_of_a_run_that_still_trains_has_its_curves():
    epochs = [{"epoch": n, "metrics": {"loss": 1 / n}} for n in (1, 2, 3)]
    node = {
        "id": "Trainer", "kind": "component", "state": "RUNNING", "attempts": 1, "usage": None,
        "outputs": {}, "metrics": {}, "epochs": epochs, "verdict": None, "error": None,
        "why": {"reasons": [], "differences": [], "headline": "", "short": ""},
    }  # fmt: skip
    run = {
        "run_id": "r", "pipeline": "p", "state": "RUNNING", "root": "/", "nodes": [node],
        "sums": dict.fromkeys(("wall_seconds", "cpu_seconds", "peak_rss_bytes", "bytes_written")),
        "parameters": {}, "environment": {}, "dirty": None, "started": 1.0, "finished": None,
        "command": "", "commit": None, "seed": None, "deterministic": False, "project": "",
        "environment_fingerprint": "", "labels": {},
    }  # fmt: skip
    page = run_page(run).html
    assert "Learning curves of Trainer" in page
    assert page.count("<circle") == 3
