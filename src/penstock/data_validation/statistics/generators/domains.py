"""What the values of a feature mean: images, natural language, times.

A meaning is stated (`domain_info`, which schema inference takes up) if at least 100 values were seen
and 80 % of them have it.
"""

import calendar
import re
import struct
from collections import Counter
from collections.abc import Iterable
from functools import cache

import numpy as np
import pyarrow as pa
from tensorflow_metadata.proto.v0 import schema_pb2, statistics_pb2

from penstock.data_validation.path_steps import PathSteps
from penstock.data_validation.statistics.generators.base import (
    DOMAIN_INFO,
    CombinerFeatureStatsGenerator,
    is_text,
    leaves_of,
)
from penstock.io.arrow.arrays import to_numpy

MATCH_RATIO = 0.8
VALUES_THRESHOLD = 100

_SIGNATURES = {
    "bmp": b"BM",
    "gif": b"GIF8",
    "jpeg": b"\xff\xd8\xff",
    "png": b"\x89PNG\r\n\x1a\n",
}
_FIRST_DAY, _LAST_DAY = 7_305, 21_915  # since 1970: 1990 and 2030
# How many units a day has.
_UNIX_TIMES = {
    "UNIX_SECONDS": 86_400,
    "UNIX_MILLISECONDS": 86_400 * 10**3,
    "UNIX_MICROSECONDS": 86_400 * 10**6,
    "UNIX_NANOSECONDS": 86_400 * 10**9,
    "UNIX_DAYS": 1,
}
_DATES = (
    "%Y-%m-%d", "%Y/%m/%d", "%Y%m%d", "%y-%m-%d", "%y/%m/%d",
    "%m-%d-%Y", "%m/%d/%Y", "%m%d%Y", "%m-%d-%y", "%m/%d/%y",
    "%d-%m-%Y", "%d/%m/%Y", "%d%m%Y", "%d-%B-%Y", "%d-%m-%y", "%d/%m/%y", "%d-%B-%y",
)  # fmt: skip
_TIMES_OF_DAY = ("%H:%M", "%H:%M:%S", "%H:%M:%S.%f")
_ASCTIME = "%a %b %d %H:%M:%S %Y"
_DIRECTIVES = {
    "%a": f"(?:{'|'.join(calendar.day_abbr)})",
    "%b": f"(?:{'|'.join(calendar.month_abbr[1:])})",
    "%B": f"(?:{'|'.join(calendar.month_name[1:])})",
    "%f": r"(?:[0-9]{1,6})",
    "%d": r"(?:3[0-1]|[1-2]\d|0[1-9]|[1-9]| [1-9])",
    "%H": r"(?:2[0-3]|[0-1]\d|\d)",
    "%y": r"(?:\d\d)",
    "%Y": r"(?:\d\d\d\d)",
    "%m": r"(?:1[0-2]|0[1-9]|[1-9])",
    "%M": r"(?:[0-5]\d|\d)",
    "%S": r"(?:60[0-1]|[0-5]\d|\d)",
}


class Matches:
    """How many values were seen, and how many of each kind."""

    def __init__(self) -> None:
        self.seen = 0
        self.kinds: Counter[str] = Counter()
        self.invalid = False
        self.width = self.height = 0

    def merge(self, other: "Matches") -> None:
        """Add the state of another one."""
        self.seen += other.seen
        self.kinds.update(other.kinds)
        self.invalid |= other.invalid
        self.width, self.height = max(self.width, other.width), max(self.height, other.height)


class _DomainStats(CombinerFeatureStatsGenerator):
    def create_accumulator(self) -> Matches:
        return Matches()

    def merge_accumulators(self, accumulators: Iterable[Matches]) -> Matches:
        merged = Matches()
        for accumulator in accumulators:
            merged.merge(accumulator)
        return merged


def _texts(accumulator: Matches, array: pa.Array, limit: int | None = None) -> list[str]:
    """Return values as text; note a column of another kind, or of bytes that are no text."""
    values = leaves_of(array).values[:limit]
    if not len(values) and pa.types.is_null(values.type):
        return []
    if not is_text(values.type):
        accumulator.invalid = True
        return []
    try:
        return [v.decode() if isinstance(v, bytes) else v for v in values.to_pylist()]
    except UnicodeDecodeError:
        accumulator.invalid = True
        return []


class NaturalLanguageInference(_DomainStats):
    """Recognizes natural language by the number and the length of words.

    Of each batch the first 100 values are looked at, of each value the first 100 characters.
    """

    def add_input(self, accumulator: Matches, path: PathSteps, array: pa.Array) -> Matches:
        """Add a column."""
        if not accumulator.invalid:
            texts = _texts(accumulator, array, 100)
            accumulator.seen += len(texts)
            accumulator.kinds["language"] += sum(map(_is_language, texts))
        return accumulator

    def extract_output(self, accumulator: Matches) -> statistics_pb2.FeatureNameStatistics:
        """Return `domain_info` and `natural_language_match_rate`, or nothing."""
        result = statistics_pb2.FeatureNameStatistics()
        if accumulator.invalid or accumulator.seen < VALUES_THRESHOLD:
            return result
        share = accumulator.kinds["language"] / accumulator.seen
        if share >= MATCH_RATIO:
            result.custom_stats.add(name=DOMAIN_INFO, str="natural_language_domain {}")
            result.custom_stats.add(name="natural_language_match_rate", num=share)
        return result


def _is_language(value: str) -> bool:
    words = value[:100].split()
    return len(words) >= 3 and 2.5 <= sum(map(len, words)) / len(words) <= 8


class ImageStats(_DomainStats):
    """Recognizes images (BMP, GIF, JPEG, PNG) by their first bytes and counts the formats.

    Args:
        enable_size_stats: Whether to look up the greatest width and height, too; the headers are
            read, nothing is decoded.
    """

    def __init__(self, enable_size_stats: bool = False) -> None:
        self._sizes = enable_size_stats

    def add_input(self, accumulator: Matches, path: PathSteps, array: pa.Array) -> Matches:
        """Add a column."""
        if accumulator.invalid or pa.types.is_null(array.type):
            return accumulator
        values = leaves_of(array).values
        if not is_text(values.type) and not pa.types.is_null(values.type):
            accumulator.invalid = True
            return accumulator
        accumulator.seen += len(values)
        for value in values.to_pylist():
            content = value if isinstance(value, bytes) else value.encode()
            kind = next((k for k, start in _SIGNATURES.items() if content.startswith(start)), "")
            accumulator.kinds[kind] += 1
            if kind and self._sizes:
                width, height = image_size(kind, content)
                accumulator.width = max(accumulator.width, width)
                accumulator.height = max(accumulator.height, height)
        return accumulator

    def extract_output(self, accumulator: Matches) -> statistics_pb2.FeatureNameStatistics:
        """Return `domain_info` and `image_format_histogram`, or nothing."""
        result = statistics_pb2.FeatureNameStatistics()
        if accumulator.invalid or accumulator.seen < VALUES_THRESHOLD:
            return result
        if 1 - accumulator.kinds[""] / accumulator.seen < MATCH_RATIO:
            return result
        result.custom_stats.add(name=DOMAIN_INFO, str="image_domain {}")
        buckets = result.custom_stats.add(name="image_format_histogram").rank_histogram.buckets
        for kind, count in sorted(accumulator.kinds.items()):
            if count:
                buckets.add(label=kind or "UNKNOWN", sample_count=count)
        if self._sizes:
            result.custom_stats.add(name="image_max_width", num=accumulator.width)
            result.custom_stats.add(name="image_max_height", num=accumulator.height)
        return result


def image_size(kind: str, content: bytes) -> tuple[int, int]:
    """Return width and height from an image's header; 0 by 0 if it is damaged.

    Sources: the PNG, GIF89a and BMP specifications; ITU-T T.81 for JPEG's frame headers.
    """
    try:
        if kind == "png":
            return struct.unpack(">II", content[16:24])
        if kind == "gif":
            return struct.unpack("<HH", content[6:10])
        if kind == "bmp":
            width, height = struct.unpack("<ii", content[18:26])
            return width, abs(height)
        position = 2
        while True:
            marker, length = struct.unpack(">HH", content[position : position + 4])
            if 0xFFC0 <= marker <= 0xFFCF and marker not in (0xFFC4, 0xFFC8, 0xFFCC):
                height, width = struct.unpack(">HH", content[position + 5 : position + 9])
                return width, height
            position += 2 + length
    except struct.error:
        return 0, 0


class TimeStats(_DomainStats):
    """Recognizes dates and times in strings, and times since 1970 in integers (1990 to 2030).

    Integers may be days, seconds, milliseconds, microseconds or nanoseconds.
    """

    def add_input(self, accumulator: Matches, path: PathSteps, array: pa.Array) -> Matches:
        """Add a column."""
        if accumulator.invalid or pa.types.is_null(array.type):
            return accumulator
        values = leaves_of(array).values
        if pa.types.is_integer(values.type):
            numbers = to_numpy(values)
            accumulator.seen += len(numbers)
            for name, unit in _UNIX_TIMES.items():
                inside = (numbers >= _FIRST_DAY * unit) & (numbers < _LAST_DAY * unit)
                accumulator.kinds[name] += int(np.count_nonzero(inside))
            return accumulator
        texts = _texts(accumulator, array)
        accumulator.seen += len(texts)
        for text, count in Counter(texts).items():
            for name, pattern in _time_patterns():
                if pattern.match(text):
                    accumulator.kinds[name] += count
        return accumulator

    def extract_output(self, accumulator: Matches) -> statistics_pb2.FeatureNameStatistics:
        """Return `domain_info` and `time_match_ratio`, or nothing."""
        result = statistics_pb2.FeatureNameStatistics()
        if accumulator.invalid or accumulator.seen < VALUES_THRESHOLD or not accumulator.kinds:
            return result
        most = max(accumulator.kinds.values())
        # Of formats that match equally often the first known one, whatever came first in the data.
        known = [*_UNIX_TIMES, *(name for name, _ in _time_patterns())]
        best = next(name for name in known if accumulator.kinds.get(name) == most)
        share = most / accumulator.seen
        if share >= MATCH_RATIO:
            domain = f"time_domain {{string_format: '{best}'}}"
            if best in _UNIX_TIMES:
                number = schema_pb2.TimeDomain.IntegerTimeFormat.Value(best)
                domain = f"time_domain {{integer_format: {number}}}"
            result.custom_stats.add(name=DOMAIN_INFO, str=domain)
            result.custom_stats.add(name="time_match_ratio", num=share)
        return result


@cache
def _time_patterns() -> list[tuple[str, re.Pattern[str]]]:
    formats = [*_DATES, *_TIMES_OF_DAY]
    formats += [
        f"{date}{delimiter}{time}"
        for date in _DATES
        for time in _TIMES_OF_DAY
        for delimiter in "T "
    ]
    formats.append(_ASCTIME)
    directive = re.compile("|".join(_DIRECTIVES))
    return [
        (each, re.compile(f"^{directive.sub(lambda m: _DIRECTIVES[m.group(0)], each)}$"))
        for each in formats
    ]
