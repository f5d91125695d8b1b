"""Kernels as CombineFns."""

from __future__ import annotations

import pickle

import apache_beam as beam
import pyarrow as pa
import pytest
from apache_beam.testing.util import assert_that, equal_to

from penstock.beam import KernelCombineFn, Total, make_pipeline
from penstock.beam.kernels import Sample


class Largest:
    """The largest number, and how many merges it took."""

    def __init__(self):
        self.value = None
        self.merges = 0

    def add(self, batch):
        found = max(batch.column("x").to_pylist())
        self.value = found if self.value is None else max(found, self.value)

    def merge(self, other):
        self.merges += 1
        values = [value for value in (self.value, other.value) if value is not None]
        self.value = max(values, default=None)
        other.value = "used up"

    def result(self):
        return self.value


def sample(*values, rows=None):
    return Sample(pa.record_batch({"x": list(values)}), rows or len(values))


def test_it_combines_on_a_pipeline():
    with make_pipeline(["--runner=FnApiRunner"]) as pipeline:
        found = (
            pipeline
            | beam.Create([1, 5, 3])
            | beam.Map(lambda value: ("all", sample(value)))
            | beam.CombinePerKey(KernelCombineFn(Largest))
        )
        assert_that(found, equal_to([("all", Total(5, 3))]))


def test_rows_that_were_read_are_counted_not_those_of_the_sample():
    combine = KernelCombineFn(Largest)
    total = combine.add_input(combine.create_accumulator(), sample(1, 2, rows=10))
    assert combine.extract_output(total) == Total(2, 10)


def test_a_merge_can_be_repeated_from_pickled_parts():
    combine = KernelCombineFn(Largest)
    parts = [
        pickle.dumps(combine.add_input(combine.create_accumulator(), sample(value)))
        for value in (4, 9)
    ]
    for _ in range(2):
        merged = combine.merge_accumulators([pickle.loads(part) for part in parts])
        assert combine.extract_output(merged) == Total(9, 2)


def test_nothing_gives_the_empty_kernels_result():
    combine = KernelCombineFn(Largest)
    assert combine.extract_output(combine.merge_accumulators([])) == Total(None, 0)


@pytest.mark.parametrize("rate", [None, 0.3])
def test_a_retried_shard_samples_the_same_rows(rate):
    from penstock.beam.statistics import sampled

    batches = [pa.record_batch({"x": list(range(start, start + 100))}) for start in (0, 100)]
    once, again = (
        [s.batch.column("x").to_pylist() for s in sampled(iter(batches), rate, 7)] for _ in "ab"
    )
    assert once == again
    other = [s.batch.column("x").to_pylist() for s in sampled(iter(batches), rate, 8)]
    assert (other == once) is (rate is None)
    assert [s.rows for s in sampled(iter(batches), rate, 7)] == [100, 100]
