"""What a check found, and how numbers are written in its description."""

from typing import NamedTuple

from tensorflow_metadata.proto.v0 import anomalies_pb2

AnomalyType = anomalies_pb2.AnomalyInfo


class Finding(NamedTuple):
    """One reason of an anomaly.

    Args:
        type: A value of AnomalyInfo.Type.
        short: What is wrong, in a few words.
        long: What was found and what was expected.
    """

    type: int
    short: str
    long: str = ""


def to_int64(value: float) -> int:
    """Return the nearest integer that an integer domain can hold.

    Statistics hold extremes as doubles: the greatest int64 rounds to one more than fits.
    """
    return min(max(int(value), -(2**63)), 2**63 - 1)


def six_digits(value: float) -> str:
    """Write a number with six significant digits, as in the reference's descriptions."""
    return f"{value:.6g}"
