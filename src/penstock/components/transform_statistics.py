"""Statistics of the rows before and after a Transform, computed while it runs."""

from __future__ import annotations

import enum
import functools
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from penstock.data_validation.stats_options import StatsOptions

if TYPE_CHECKING:
    import pyarrow as pa
    from tensorflow_metadata.proto.v0 import statistics_pb2

    from penstock.beam.transform_examples import Observed
    from penstock.data_validation.statistics.generate import SlicedStatistics
    from penstock.data_validation.statistics.sampling import RowSampler

SCHEMA_FILE = "schema.pbtxt"


class StatsType(enum.Enum):
    """The statistics whose options a `stats_options_updater_fn` may change."""

    UNSPECIFIED = 0
    PRE_TRANSFORM = 1
    POST_TRANSFORM = 2


class TransformStatistics:
    """Statistics of all splits together, updated batch by batch.

    The schema is read with the first batch: by then, the one of the transformed rows has been
    written.

    Args:
        stats_type: Which statistics they are.
        schema_folder: Folder of the rows' schema.
        updater: The user's `stats_options_updater_fn`, if there is one.
    """

    def __init__(
        self, stats_type: StatsType, schema_folder: str, updater: Callable[..., Any] | None
    ) -> None:
        self._stats_type = stats_type
        self._schema_folder = schema_folder
        self._updater = updater
        self._taken: statistics_pb2.DatasetFeatureStatisticsList | None = None

    @property
    def observed(self) -> Observed:
        """What Beam's workers compute instead of calling this object."""
        from penstock.beam.transform_examples import Observed
        from penstock.data_validation.statistics.generate import SlicedStatistics

        make_kernel = functools.partial(SlicedStatistics, self._options)
        return Observed(make_kernel, self._options.sample_rate)

    def take(self, result: statistics_pb2.DatasetFeatureStatisticsList) -> None:
        """Take statistics that were computed elsewhere."""
        self._taken = result

    @functools.cached_property
    def _options(self) -> StatsOptions:
        from penstock.data_validation import load_schema_text

        options = StatsOptions(schema=load_schema_text(f"{self._schema_folder}/{SCHEMA_FILE}"))
        if self._updater is not None:
            options = self._updater(self._stats_type, options)
        if not isinstance(options, StatsOptions):
            raise TypeError(
                "stats_options_updater_fn must return the StatsOptions it was given or new ones. "
                f"Received: {options!r}"
            )
        return options

    @functools.cached_property
    def _kernel(self) -> SlicedStatistics:
        from penstock.data_validation.statistics.generate import SlicedStatistics

        return SlicedStatistics(self._options)

    @functools.cached_property
    def _sampler(self) -> RowSampler:
        from penstock.data_validation.statistics.sampling import RowSampler

        return RowSampler(self._options.sample_rate)

    def __call__(self, split: str, batch: pa.RecordBatch) -> None:
        """Add a batch of a split."""
        self._kernel.add(self._sampler(batch))

    def result(self) -> statistics_pb2.DatasetFeatureStatisticsList:
        """Return the statistics."""
        return self._kernel.result() if self._taken is None else self._taken
