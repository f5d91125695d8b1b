"""Samples of the rows by the same kernels: which rows count in which sample, and how often.

A kernel sums rows by groups. Without samples a group is a slice; here each slice has several groups, one
a bucket of rows (jackknife) or one a sample (bootstrap). So every metric has samples, whatever its state,
and what is kept grows with the slices and not with the rows.

The samples of a row depend on the seed, its shard and its place there alone: not on batches, processes or
slices. Two slices that share rows sample these alike, so that the difference of the two is sampled too.
"""

from __future__ import annotations

import hashlib
from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt

from penstock.evaluation.config import ConfidenceIntervalOptions
from penstock.evaluation.slices.slicing import IntArray, Membership

NUM_SAMPLES = 20
"""How many samples there are; TFMA takes as many, by either method."""

RowIds = npt.NDArray[np.uint64]


class Sample:
    """One sample: the kernels that hold it, and the group of each slice in them.

    Args:
        states: The `Accumulation` that holds it.
        stride: How many groups a slice has in them.
        offset: Which of these is the sample's.
    """

    def __init__(self, states: Any, stride: int = 1, offset: int = 0) -> None:
        self.states = states
        self._stride, self._offset = stride, offset

    def group(self, slice_number: int) -> int:
        """Return the group that holds a slice's rows of this sample."""
        return slice_number * self._stride + self._offset

    def num_rows(self, group: int) -> int:
        """Return how many rows a group has."""
        return int(self.states.examples(group))


class Resampling(ABC):
    """How rows come into samples."""

    groups_per_slice: ClassVar[int]
    LEAVES_OUT: ClassVar[bool]
    """Whether a sample may lack a slice, which then has no intervals."""

    def __init__(self, seed: int = 0) -> None:
        self._seed = _mixed(np.array([seed], dtype=np.int64).view(np.uint64))[0]

    @abstractmethod
    def assign(self, membership: Membership, rows: RowIds) -> Membership:
        """Return a batch's membership in the groups of samples.

        Args:
            membership: The rows' slices.
            rows: What each row of the batch is known by, `[rows]`.
        """

    @abstractmethod
    def samples(self, states: Any, num_slices: int) -> Iterator[Sample]:
        """Yield all rows first, and then each of the 20 samples."""

    def groups_of(self, slices: Iterable[int]) -> list[int]:
        """Return the groups of slices, in order."""
        stride = self.groups_per_slice
        return [slice_number * stride + i for slice_number in slices for i in range(stride)]

    def _hashes(self, rows: RowIds) -> RowIds:
        return _mixed(rows ^ self._seed)


class Jackknife(Resampling):
    """Deals the rows into 20 buckets at random; a sample is all rows but one bucket's."""

    groups_per_slice = NUM_SAMPLES
    LEAVES_OUT = True

    def buckets(self, rows: RowIds) -> IntArray:
        """Return each row's bucket, from 0 to 19."""
        high = self._hashes(rows) >> np.uint64(32)
        return ((high * np.uint64(NUM_SAMPLES)) >> np.uint64(32)).astype(np.int64)

    def assign(self, membership: Membership, rows: RowIds) -> Membership:
        """Return a batch's membership in the buckets."""
        buckets = self.buckets(rows)[membership.rows]
        groups = membership.groups * NUM_SAMPLES + buckets
        return Membership(membership.rows, groups, membership.count * NUM_SAMPLES)

    def samples(self, states: Any, num_slices: int) -> Iterator[Sample]:
        """Yield the sum of all buckets, and then the sums of all but one."""
        slices, buckets = np.divmod(np.arange(num_slices * NUM_SAMPLES), NUM_SAMPLES)
        yield Sample(states.regrouped(slices.tolist()))
        for left_out in range(NUM_SAMPLES):
            # What is left out goes to a group behind those of the slices.
            groups = np.where(buckets == left_out, num_slices, slices)
            yield Sample(states.regrouped(groups.tolist()))


class PoissonBootstrap(Resampling):
    """Counts each row in each of 20 samples as often as a Poisson distribution of mean 1 says."""

    groups_per_slice = NUM_SAMPLES + 1
    LEAVES_OUT = False

    # The chance of at most k; beyond 16 it is 1 in float64 for all that a uniform number can be.
    _AT_MOST: ClassVar = np.cumsum(
        np.exp(-1.0) / np.array([float(np.prod(np.arange(1.0, k + 1))) for k in range(17)])
    )

    def counts(self, rows: RowIds) -> IntArray:
        """Return how often each row counts, `[rows, 20]`."""
        salts = _mixed(np.arange(1, NUM_SAMPLES + 1, dtype=np.uint64))
        hashes = _mixed(self._hashes(rows)[:, None] ^ salts)
        uniform = (hashes >> np.uint64(11)) * 2.0**-53
        return np.searchsorted(self._AT_MOST, uniform, side="right").astype(np.int64)

    def assign(self, membership: Membership, rows: RowIds) -> Membership:
        """Return a batch's membership in the samples: group 0 of a slice holds each row once."""
        once = np.ones((len(rows), 1), dtype=np.int64)
        counts = np.concatenate([once, self.counts(rows)], axis=1)[membership.rows]
        stride = self.groups_per_slice
        groups = membership.groups[:, None] * stride + np.arange(stride)
        times = counts.reshape(-1)
        return Membership(
            np.repeat(np.repeat(membership.rows, stride), times),
            np.repeat(groups.reshape(-1), times),
            membership.count * stride,
        )

    def samples(self, states: Any, num_slices: int) -> Iterator[Sample]:
        """Yield all rows, and then the samples, which have groups of their own."""
        for offset in range(self.groups_per_slice):
            yield Sample(states, self.groups_per_slice, offset)


def resampling_of(options: Any, seed: int = 0) -> Resampling | None:
    """Return how the `Options` of an EvalConfig sample rows; None without confidence intervals.

    Args:
        options: The `Options`. Without a method it is the jackknife, as in TFMA.
        seed: What the samples depend on besides the rows.
    """
    if not options.compute_confidence_intervals.value:
        return None
    if options.confidence_intervals.method == ConfidenceIntervalOptions.POISSON_BOOTSTRAP:
        return PoissonBootstrap(seed)
    return Jackknife(seed)


def ids_of(names: npt.NDArray[Any]) -> RowIds:
    """Return ids of names, such as queries': rows of one name come into samples together."""
    unique, inverse = np.unique(names, return_inverse=True)
    digests = [
        hashlib.blake2b(n if isinstance(n, bytes) else str(n).encode(), digest_size=8).digest()
        for n in unique.tolist()
    ]
    ids = np.frombuffer(b"".join(digests), dtype="<u8").astype(np.uint64)
    return ids[inverse.reshape(-1)]


def _mixed(values: RowIds) -> RowIds:
    """Return well mixed bits of each number: the finalizer of SplitMix64 (Steele et al., 2014)."""
    values = values + np.uint64(0x9E3779B97F4A7C15)
    values = (values ^ (values >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    values = (values ^ (values >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return values ^ (values >> np.uint64(31))
