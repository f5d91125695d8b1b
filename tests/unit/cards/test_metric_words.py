import pytest

from penstock.cards.metric_words import (
    are_weighted,
    is_of_the_whole,
    is_share,
    metric_words,
    quality_first,
)


def test_weighted_is_said_once():
    assert metric_words("weighted_example_count (weighted)") == "weighted example count"
    assert metric_words("auc (classId:1, weighted)") == "auc (classId:1, weighted)"
    assert metric_words("auc (classId:1, weighted)", all_weighted=True) == "auc (classId:1)"
    assert metric_words("auc (weighted)", all_weighted=True) == "auc"
    assert are_weighted(["auc (weighted)", "mae (output, weighted)"])
    assert not are_weighted(["auc (weighted)", "mae"])
    assert not are_weighted([])


def test_a_weighted_metric_is_of_the_whole():
    assert is_of_the_whole("auc (weighted)")
    assert not is_of_the_whole("auc (classId:1)")


@pytest.mark.parametrize("name", ["auc", "binary_accuracy (weighted)", "fpr", "recall (classId:2)"])
def test_shares_have_a_bar(name):
    assert is_share(name)


@pytest.mark.parametrize(
    "name",
    ["example_count", "mean_absolute_error", "binary_crossentropy", "mean_label", "calibration"],
)
def test_counts_costs_and_means_have_none(name):
    assert not is_share(name)


def test_what_only_counts_comes_last():
    assert quality_first(["example_count", "auc", "mean_label (weighted)", "mae"]) == [
        "auc",
        "mae",
        "example_count",
        "mean_label (weighted)",
    ]
