"""The values of metrics in the samples: kept as numbers until there are intervals of them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from penstock.evaluation.intervals.confidence_interval import (
    ConfidenceInterval,
    interval_ends,
    interval_of,
    minus,
)
from penstock.evaluation.intervals.resampling import NUM_SAMPLES, Resampling
from penstock.evaluation.keys import MetricKey


class SampledValues:
    """Values by metric, sample and slice.

    Floats, which most values are, take 8 bytes each. Others are kept as they are.

    Args:
        num_slices: How many slices there are.
    """

    def __init__(self, num_slices: int) -> None:
        self._shape = (NUM_SAMPLES, num_slices)
        self._floats: dict[MetricKey, npt.NDArray[np.float64]] = {}
        self._counts: dict[MetricKey, npt.NDArray[np.int16]] = {}
        self._others: dict[tuple[MetricKey, int], list[Any]] = {}
        self._num_samples = np.zeros(num_slices, dtype=np.int16)

    def add(self, sample: int, slice_number: int, values: Mapping[MetricKey, Any]) -> None:
        """Keep the values of one slice in one sample."""
        self._num_samples[slice_number] += 1
        for key, value in values.items():
            if not isinstance(value, float):
                self._others.setdefault((key, slice_number), []).append(value)
                continue
            if key not in self._floats:
                self._floats[key] = np.full(self._shape, np.nan)
                self._counts[key] = np.zeros(self._shape[1], dtype=np.int16)
            self._floats[key][sample, slice_number] = value
            self._counts[key][slice_number] += 1

    def num_samples(self, slice_number: int) -> int:
        """Return in how many samples a slice has rows."""
        return int(self._num_samples[slice_number])

    def intervals(
        self, method: type[Resampling], values: Iterable[Mapping[MetricKey, Any]]
    ) -> Iterator[dict[MetricKey, ConfidenceInterval]]:
        """Yield the intervals of each slice.

        Args:
            method: How the samples were taken.
            values: Each slice's values of all rows.
        """
        points = list(values)
        ends = {key: self._ends(method, key, points) for key in self._floats}
        for number, point in enumerate(points):
            found = {}
            for key, value in point.items():
                if self._num_samples[number] < NUM_SAMPLES:
                    continue
                if isinstance(value, float) and key in ends:
                    if self._counts[key][number] == NUM_SAMPLES:
                        lower, upper, error = (float(end[number]) for end in ends[key])
                        found[key] = ConfidenceInterval(lower, upper, error)
                    continue
                samples = self._others.get((key, number), [])
                if len(samples) == NUM_SAMPLES:
                    interval = interval_of(method, value, samples)
                    if interval is not None:
                        found[key] = interval
            yield found

    def intervals_between(
        self,
        method: type[Resampling],
        one: int,
        other: int,
        values: Mapping[MetricKey, Any],
    ) -> dict[MetricKey, ConfidenceInterval]:
        """Return the intervals of the difference of two slices.

        Args:
            method: How the samples were taken.
            one: The number of one slice.
            other: The number of the one that is subtracted.
            values: The differences of all rows.
        """
        if min(self._num_samples[[one, other]]) < NUM_SAMPLES:
            return {}
        found = {}
        for key, value in values.items():
            pairs = zip(self._samples(key, one), self._samples(key, other), strict=False)
            samples = [minus(first, second) for first, second in pairs]
            if len(samples) == NUM_SAMPLES and all(each is not None for each in samples):
                interval = interval_of(method, value, samples)
                if interval is not None:
                    found[key] = interval
        return found

    def _samples(self, key: MetricKey, slice_number: int) -> list[Any]:
        if key in self._floats and self._counts[key][slice_number] == NUM_SAMPLES:
            return list(self._floats[key][:, slice_number].tolist())
        return self._others.get((key, slice_number), [])

    def _ends(
        self, method: type[Resampling], key: MetricKey, points: list[Mapping[MetricKey, Any]]
    ) -> Any:
        column = [point.get(key, np.nan) for point in points]
        values = np.array([v if isinstance(v, float) else np.nan for v in column])
        with np.errstate(invalid="ignore", divide="ignore", over="ignore"):
            return interval_ends(method, values, self._floats[key])
