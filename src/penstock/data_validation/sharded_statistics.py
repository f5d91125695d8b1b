"""Statistics whose features are in several files, as TFX's StatisticsGen can write them."""

from collections.abc import Iterable

from tensorflow_metadata.proto.v0 import statistics_pb2

from penstock.data_validation.indexed_statistics import DatasetListView
from penstock.io.files.filesystem import list_matching
from penstock.io.tfrecord.records import read_tfrecords


def default_sharded_output_supported() -> bool:
    """Return whether statistics are written in several files by default: False."""
    return False


def default_sharded_output_suffix() -> str:
    """Return the ending of files with parts of statistics."""
    return ".tfrecords"


def load_sharded_statistics(
    input_path_prefix: str | None = None, input_paths: Iterable[str] | None = None
) -> DatasetListView:
    """Read statistics whose features are in several TFRecord files, and join them.

    Args:
        input_path_prefix: The prefix of the paths; `-SSSSS-of-NNNNN` follows.
        input_paths: The paths, instead.

    Raises:
        ValueError: If neither or both are given, or there are no files.

    Example:
        >>> load_sharded_statistics("stats/FeatureStats").get_default_slice().list_features()
        dict_keys([FeaturePath(('fare',)), FeaturePath(('tips',))])
    """
    from tfx_bsl.statistics.merge_util import merge_dataset_feature_statistics_list

    if (input_path_prefix is None) == (input_paths is None):
        raise ValueError(
            "Give input_path_prefix or input_paths. Received: "
            f"input_path_prefix={input_path_prefix!r}, input_paths={input_paths!r}"
        )
    if input_path_prefix is not None:
        input_paths = list_matching(f"{input_path_prefix}-*-of-*")
    paths = sorted(input_paths or ())
    if not paths:
        raise ValueError(
            "No files with statistics were found. Received: "
            f"input_path_prefix={input_path_prefix!r}, input_paths={paths}"
        )
    parts = (
        statistics_pb2.DatasetFeatureStatisticsList.FromString(record)
        for path in paths
        for record in read_tfrecords(path)
    )
    return DatasetListView(merge_dataset_feature_statistics_list(parts))
