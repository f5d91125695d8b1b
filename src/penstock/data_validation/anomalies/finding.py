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


def six_digits(value: float) -> str:
    """Writes a number with six significant digits, as in the reference's descriptions."""
    return f"{value:.6g}"
