"""Work in threads: the order of results, errors, and how far threads are ahead."""

import threading

import pytest

from penstock.io.processes.threads import in_threads


@pytest.mark.parametrize("threads", [0, 1, 3])
def test_results_are_in_the_items_order(threads):
    assert list(in_threads(lambda item: item * 2, range(50), threads)) == list(range(0, 100, 2))


def test_no_more_items_are_taken_than_may_wait():
    taken = []

    def items():
        for number in range(10):
            taken.append(number)
            yield number

    results = in_threads(lambda item: item, items(), 1, waiting=2)
    assert next(results) == 0
    assert taken == [0, 1, 2]
    results.close()
    assert taken == [0, 1, 2]


def test_an_error_comes_in_its_items_place():
    def fail_at_three(item):
        if item == 3:
            raise ValueError("three")
        return item

    results = in_threads(fail_at_three, range(9), 2)
    assert [next(results) for _ in range(3)] == [0, 1, 2]
    with pytest.raises(ValueError, match="three"):
        next(results)


def test_closing_ends_the_threads():
    results = in_threads(lambda item: item, range(9), 2, name="for-this-test")
    next(results)
    results.close()
    assert not [each for each in threading.enumerate() if each.name.startswith("for-this-test")]
