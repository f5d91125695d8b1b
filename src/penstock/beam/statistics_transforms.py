"""Statistics as steps of a Beam pipeline of your own, under TFDV's names."""

from __future__ import annotations

import functools
import zlib
from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, Any

import apache_beam as beam

from penstock.beam.kernels import KernelCombineFn, Sample, Total
from penstock.beam.shard_readers import batch_to_bytes
from penstock.io.examples.shard_files import written_whole

if TYPE_CHECKING:
    import pyarrow as pa
    from tensorflow_metadata.proto.v0 import statistics_pb2

    from penstock.data_validation import StatsOptions


class GenerateStatistics(beam.PTransform):  # type: ignore[misc]
    """Makes of RecordBatches one DatasetFeatureStatisticsList.

    Every column is one list of values per row, as `penstock.io.read_record_batches` and tfx-bsl's TFXIO
    give it. The rows of a sample are chosen by the content of their batch, so that a bundle that is run
    again chooses the same.

    Args:
        options: What to compute.

    Raises:
        TypeError: If they are no StatsOptions.

    Example:
        (pipeline
         | beam.Create(files)
         | beam.FlatMap(lambda file: read_record_batches([file]))
         | GenerateStatistics(StatsOptions(num_top_values=5))
         | WriteStatisticsToBinaryFile("gs://bucket/FeatureStats.pb"))
    """

    def __init__(self, options: StatsOptions | None = None) -> None:
        super().__init__()
        from penstock.data_validation import StatsOptions

        options = StatsOptions() if options is None else options
        if not isinstance(options, StatsOptions):
            raise TypeError(f"options must be StatsOptions. Received: options={options!r}")
        self._options = options

    def expand(self, batches: Any) -> Any:
        """Combine the batches."""
        from penstock.data_validation.statistics.generate import SlicedStatistics

        kernel = functools.partial(SlicedStatistics, self._options)
        return (
            batches
            | "Sample" >> beam.Map(_sample, self._options.sample_rate)
            | "Combine" >> beam.CombineGlobally(KernelCombineFn(kernel))
            | "Result" >> beam.Map(_result, self._options)
        )


def _sample(batch: pa.RecordBatch, rate: float | None) -> Sample:
    from penstock.data_validation.statistics.sampling import RowSampler

    if rate is None or rate >= 1:
        return Sample(batch, batch.num_rows)
    keep = RowSampler(rate, zlib.crc32(batch_to_bytes(batch)))
    return Sample(keep(batch), batch.num_rows)


def _result(total: Total, options: StatsOptions) -> statistics_pb2.DatasetFeatureStatisticsList:
    from penstock.data_validation.unused_options import tell_unused_options

    statistics: statistics_pb2.DatasetFeatureStatisticsList = total.result
    tell_unused_options(options, statistics)
    return statistics


class _WriteStatistics(beam.PTransform, ABC):  # type: ignore[misc]
    def __init__(self, output_path: str) -> None:
        super().__init__()
        self._output_path = output_path

    def expand(self, statistics: Any) -> Any:
        """Write the file, whole or not at all, and yield its path."""
        return statistics | "Write" >> beam.Map(type(self)._write, self._output_path)

    @staticmethod
    @abstractmethod
    def _write(statistics: statistics_pb2.DatasetFeatureStatisticsList, path: str) -> str:
        """Write the file; return its path."""


class WriteStatisticsToBinaryFile(_WriteStatistics):
    """Writes a DatasetFeatureStatisticsList as it is serialized; `load_stats_binary` reads it.

    Args:
        output_path: The file, a path or URL that the workers reach.
    """

    @staticmethod
    def _write(statistics: statistics_pb2.DatasetFeatureStatisticsList, path: str) -> str:
        with written_whole(path) as local, open(local, "wb") as file:
            file.write(statistics.SerializeToString(deterministic=True))
        return path


class WriteStatisticsToText(_WriteStatistics):
    """Writes a DatasetFeatureStatisticsList as text; `load_stats_text` reads it.

    Args:
        output_path: The file, a path or URL that the workers reach.
    """

    @staticmethod
    def _write(statistics: statistics_pb2.DatasetFeatureStatisticsList, path: str) -> str:
        from google.protobuf import text_format

        with written_whole(path) as local, open(local, "w", encoding="utf-8") as file:
            file.write(text_format.MessageToString(statistics))
        return path


class WriteStatisticsToTFRecord(_WriteStatistics):
    """Writes a DatasetFeatureStatisticsList as a TFRecord file of one; `load_statistics` reads it.

    Args:
        output_path: The file, a path or URL that the workers reach.
    """

    @staticmethod
    def _write(statistics: statistics_pb2.DatasetFeatureStatisticsList, path: str) -> str:
        from penstock.io import TFRecordWriter

        with written_whole(path) as local, TFRecordWriter(local, "") as writer:
            writer.write(statistics.SerializeToString(deterministic=True))
        return path
