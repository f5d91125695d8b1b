import pytest

from penstock.cards.axes import rounded_range, tick_labels, ticks


@pytest.mark.parametrize(
    ("low", "high", "labels"),
    [
        (0.0, 1.0, ["0.0", "0.2", "0.4", "0.6", "0.8", "1.0"]),
        (0.97, 1.0, ["0.97", "0.98", "0.99", "1.00"]),
        (-4, 4, ["-4", "-2", "0", "2", "4"]),
        (0, 125_000, ["0", "25,000", "50,000", "75,000", "100,000", "125,000"]),
        (0, 0.00004, ["0", "1e-05", "2e-05", "3e-05", "4e-05"]),
        (0, 4e7, ["0", "1e+07", "2e+07", "3e+07", "4e+07"]),
    ],
)
def test_ticks_are_round_and_told_apart(low, high, labels):
    assert tick_labels(ticks(low, high)) == labels


@pytest.mark.parametrize("high", range(2, 60))
def test_epochs_are_whole(high):
    found = ticks(1, high, whole=True)
    assert len(found) in range(2, 7)
    assert all(tick == int(tick) for tick in found)
    assert len(set(tick_labels(found))) == len(found)


@pytest.mark.parametrize(
    "values", [[0.31, 0.97], [-5.0, 3.0], [7.0], [0.0], [1e-9, 2e-9], [1e12, 3e12]]
)
def test_a_range_ends_at_ticks_and_holds_all(values):
    low, high = rounded_range(values)
    assert low <= min(values) <= max(values) <= high
    found = ticks(low, high)
    assert [found[0], found[-1]] == pytest.approx([low, high])
    assert len(set(tick_labels(found))) == len(found) >= 2


def test_a_range_of_nothing_is_a_range():
    assert rounded_range([float("nan")]) == (0.0, 1.0)
