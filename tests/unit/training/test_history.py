import math
from types import SimpleNamespace

import numpy as np
import pytest

from penstock.training.history import history_of


@pytest.mark.parametrize("nothing", [None, "done", 3, [0.5], object()])
def test_a_result_that_is_no_mapping_has_no_history(nothing):
    assert history_of(nothing) == ({}, [])


def test_numbers_of_any_kind():
    result = {
        "number": 1,
        "yes": True,
        "epochs": [0.5, np.float32(0.25)],
        "array": np.arange(2),
        "scalar": np.float64(3),
        "none": [],
        7: [1.0],
    }
    assert history_of(SimpleNamespace(history=result)) == (
        {
            "number": [1.0],
            "yes": [1.0],
            "epochs": [0.5, 0.25],
            "array": [0.0, 1.0],
            "scalar": [3.0],
            "none": [],
            "7": [1.0],
        },
        [],
    )


def test_an_epoch_without_a_value_is_nan():
    history, left_out = history_of({"auc": [0.5, None]})
    assert history["auc"][0] == 0.5
    assert math.isnan(history["auc"][1])
    assert not left_out


def test_a_metric_of_several_values_is_a_series_each():
    """Keras's F1Score gives a value a class, by default."""
    values = [np.array([0.1, 0.2], np.float32), np.array([0.3, 0.4], np.float32)]
    history, _ = history_of({"val_f1": values})
    assert history == {
        "val_f1[0]": pytest.approx([0.1, 0.3]),
        "val_f1[1]": pytest.approx([0.2, 0.4]),
    }


def test_mappings_within_are_told_by_their_names():
    assert history_of({"eval": {"by_slice": {"JFK": 0.5}}})[0] == {"eval/by_slice/JFK": [0.5]}


@pytest.mark.parametrize(
    "value",
    [
        None,
        "keras",
        ["a"],
        "0.5",
        b"x",
        object(),
        [object()],
        [[1.0], [2.0, 3.0]],
        np.ones((2, 101)),
        np.ones((0, 3)),
        10**400,
        1 + 2j,
    ],
)
def test_what_holds_no_numbers_is_named(value):
    assert history_of({"loss": [1.0], "other": value}) == ({"loss": [1.0]}, ["other"])
