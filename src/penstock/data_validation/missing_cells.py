"""What a missing cell is: the one rule that inference, validation and pages read statistics by.

A null (in a CSV file, a DataFrame, a Parquet file) is counted as missing by the statistics. A list without
values, which is what TFX's tf.Examples hold for a missing cell of a CSV file, is counted as present. Of a
feature with at most one value a row both are read as missing, so that one schema fits the data in all its
forms. Lists of several values may be empty.
"""

from tensorflow_metadata.proto.v0 import statistics_pb2


def has_empty_cells(common: statistics_pb2.CommonStatistics) -> bool:
    """Whether some rows have a list without a value, and none has more than one value.

    Nested features have no cells. Statistics that tell how many rows are present, and not how many values
    they have, tell nothing about empty cells.
    """
    if len(common.presence_and_valency_stats) > 1 or common.max_num_values > 1:
        return False
    told = common.max_num_values or common.HasField("num_values_histogram")
    return bool(
        told and not common.min_num_values and common.num_non_missing > common.tot_num_values
    )


def rows_with_value(common: statistics_pb2.CommonStatistics) -> int:
    """Return how many rows have a feature, by the rule above.

    Example:
        >>> rows_with_value(statistics_pb2.CommonStatistics(
        ...     num_non_missing=5, max_num_values=1, tot_num_values=4))
        4
    """
    return int(common.tot_num_values if has_empty_cells(common) else common.num_non_missing)
