"""Joining two sets of examples on identifier features and comparing them feature by feature."""

import hashlib
import heapq
from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

from penstock.data_validation.skew.messages import message_class
from penstock.io.examples.messages import example_class

MISSING_VALUE = b"__MISSING_VALUE__"

_COUNTS = ("base_count", "test_count", "match_count", "base_only", "test_only", "mismatch_count")


class FeatureSkewResult(NamedTuple):
    """How two sets of examples differ, in TFDV's messages.

    Args:
        skew: A FeatureSkew for each compared feature, by name.
        pairs: A sample of SkewPairs: two examples that differ, and in what.
        match_stats: MatchStats: how many examples found a partner.
        confusion: ConfusionCounts: which value became which, for the features asked for.
    """

    skew: list[Any]
    pairs: list[Any]
    match_stats: Any
    confusion: list[Any]


class FeatureSkewDetector:
    """Compares the examples of two sets that have the same identifier.

    Args:
        identifier_features: Features that together identify an example.
        features_to_ignore: Features that are not compared, in addition to the identifiers.
        sample_size: How many pairs of differing examples to keep; those with the least hash of the
            identifier, so that neither order nor machine matters.
        float_round_ndigits: Decimal digits to which floats are rounded first; None compares as is.
        allow_duplicate_identifiers: Whether to compare all pairs of examples that share an
            identifier; else such examples are skipped and counted.
        confusion_features: Features with one string per row whose pairs of values are counted.

    Raises:
        ValueError: If there is no identifier feature, or sample_size is negative.

    Example:
        >>> detector = FeatureSkewDetector(["id"], sample_size=10)
        >>> detector.compare(baseline_records, test_records)
        >>> [(skew.feature_name, skew.diff_count) for skew in detector.result().skew]
        [('fare', 3)]
    """

    def __init__(
        self,
        identifier_features: Sequence[str],
        features_to_ignore: Sequence[str] = (),
        sample_size: int = 0,
        float_round_ndigits: int | None = None,
        allow_duplicate_identifiers: bool = False,
        confusion_features: Sequence[str] = (),
    ) -> None:
        if not identifier_features or isinstance(identifier_features, str):
            raise ValueError(
                "identifier_features must name at least one feature, as a list. Received: "
                f"identifier_features={identifier_features!r}"
            )
        if sample_size < 0:
            raise ValueError(f"sample_size must be 0 or more. Received: sample_size={sample_size}")
        self._identifiers = sorted(identifier_features)
        self._ignored = {*features_to_ignore, *identifier_features}
        self._sample_size = sample_size
        self._digits = float_round_ndigits
        self._allow_duplicates = allow_duplicate_identifiers
        self._confusion_features = tuple(confusion_features)
        self._counts: dict[str, dict[str, int]] = {}
        self._confusion: dict[tuple[str, bytes, bytes], int] = {}
        self._matches = message_class("MatchStats")()
        # A heap of (negated hash of the identifier, running number, pair): the greatest hash first.
        self._pairs: list[tuple[int, int, Any]] = []
        self._seen_pairs = 0

    def __getstate__(self) -> dict[str, Any]:
        """Serialize the messages: their classes are made at run time."""
        pairs = [(*place, pair.SerializeToString()) for *place, pair in self._pairs]
        return {**vars(self), "_matches": self._matches.SerializeToString(), "_pairs": pairs}

    def __setstate__(self, state: dict[str, Any]) -> None:
        """Read the messages."""
        vars(self).update(state)
        parse = message_class("SkewPair").FromString
        self._matches = message_class("MatchStats").FromString(state["_matches"])
        self._pairs = [(rank, number, parse(pair)) for rank, number, pair in state["_pairs"]]

    def compare(
        self,
        baseline: Iterable[bytes],
        test: Iterable[bytes],
        *,
        part: int = 0,
        parts: int = 1,
    ) -> None:
        """Compare serialized tf.Examples; those of one part are held in memory.

        Args:
            baseline: The examples to compare with.
            test: The examples that are looked at.
            part: Which part of the identifiers to look at, by their hash. Calling it once for each
                part, with the same examples, bounds the memory.
            parts: How many parts there are.
        """
        matches = self._matches
        by_identifier: dict[bytes, tuple[list[bytes], list[bytes]]] = {}
        for side, records in enumerate((baseline, test)):
            with_id = missing = 0
            for record in records:
                identifier = self.identifier_of(record)
                if identifier is None:
                    missing += part == 0
                elif identifier[-1] % parts == part:
                    with_id += 1
                    by_identifier.setdefault(identifier, ([], []))[side].append(record)
            name = ("base", "test")[side]
            for field, count in (
                (f"{name}_with_id_count", with_id),
                (f"{name}_missing_id_count", missing),
            ):
                setattr(matches, field, getattr(matches, field) + count)
        for identifier, (base, other) in sorted(by_identifier.items()):
            matches.identifiers_count += 1
            matches.ids_missing_in_base_count += not base
            matches.ids_missing_in_test_count += not other
            matches.matching_pairs_count += len(base) * len(other)
            duplicated = len(base) > 1 or len(other) > 1
            matches.duplicate_id_count += duplicated
            if duplicated and not self._allow_duplicates:
                continue
            for base_record in base:
                for test_record in other:
                    self._compare_pair(identifier, base_record, test_record)

    def merge(self, other: "FeatureSkewDetector") -> None:
        """Add the findings of another detector for examples with other identifiers.

        Args:
            other: With the same options; not used afterwards.
        """
        for name, theirs in other._counts.items():
            counts = self._counts.setdefault(name, dict.fromkeys(_COUNTS, 0))
            for field, count in theirs.items():
                counts[field] += count
        for key, count in other._confusion.items():
            self._confusion[key] = self._confusion.get(key, 0) + count
        for field in self._matches.DESCRIPTOR.fields:
            total = getattr(self._matches, field.name) + getattr(other._matches, field.name)
            setattr(self._matches, field.name, total)
        self._pairs = heapq.nlargest(
            self._sample_size, [*self._pairs, *other._pairs], key=lambda entry: entry[:2]
        )[::-1]

    def identifier_of(self, record: bytes) -> bytes | None:
        """Return a hash of an example's identifier; None if a part of it is missing."""
        features = example_class().FromString(record).features.feature
        digest = hashlib.sha256()
        for name in self._identifiers:
            feature = features.get(name)
            if _is_empty(feature):
                return None
            value = self._serialized(feature)
            digest.update(len(value).to_bytes(8, "little") + value)
        return digest.digest()

    def _serialized(self, feature: Any) -> bytes:
        if self._digits is not None and feature.WhichOneof("kind") == "float_list":
            rounded = type(feature)()
            values = (round(value, self._digits) for value in feature.float_list.value)
            rounded.float_list.value.extend(values)
            feature = rounded
        serialized: bytes = feature.SerializeToString(deterministic=True)
        return serialized

    def _compare_pair(self, identifier: bytes, base_record: bytes, test_record: bytes) -> None:
        parse = example_class().FromString
        base, test = parse(base_record), parse(test_record)
        mine, theirs = base.features.feature, test.features.feature
        lists: dict[str, list[str]] = {}
        skewed = False
        for name in sorted({*mine, *theirs} - self._ignored):
            a, b = mine.get(name), theirs.get(name)
            outcome = self._compare_features(a, b)
            counts = self._counts.setdefault(name, dict.fromkeys(_COUNTS, 0))
            counts["base_count"] += not _is_empty(a)
            counts["test_count"] += not _is_empty(b)
            if outcome:
                counts[outcome] += 1
                lists.setdefault(_LIST_OF[outcome], []).append(name)
            skewed = skewed or outcome != "match_count"
        for name in self._confusion_features:
            key = (
                name,
                _single_string(name, mine.get(name)),
                _single_string(name, theirs.get(name)),
            )
            self._confusion[key] = self._confusion.get(key, 0) + 1
        if skewed and self._sample_size:
            self._keep_pair(identifier, base_record, test_record, lists)

    def _compare_features(self, base: Any, test: Any) -> str:
        if _is_empty(base) and _is_empty(test):
            return "match_count" if (base is None) == (test is None) else ""
        if _is_empty(test):
            return "base_only"
        if _is_empty(base):
            return "test_only"
        same = self._serialized(base) == self._serialized(test)
        return "match_count" if same else "mismatch_count"

    def _keep_pair(
        self, identifier: bytes, base: bytes, test: bytes, lists: dict[str, list[str]]
    ) -> None:
        self._seen_pairs += 1
        rank = -int.from_bytes(identifier, "big")
        if len(self._pairs) == self._sample_size and rank <= self._pairs[0][0]:
            return
        pair = message_class("SkewPair")(base=base, test=test, **lists)
        entry = (rank, -self._seen_pairs, pair)
        if len(self._pairs) < self._sample_size:
            heapq.heappush(self._pairs, entry)
        else:
            heapq.heapreplace(self._pairs, entry)

    def result(self) -> FeatureSkewResult:
        """Return the findings so far."""
        skew = []
        for name, counts in sorted(self._counts.items()):
            differing = counts["base_only"] + counts["test_only"] + counts["mismatch_count"]
            kind = message_class("FeatureSkew")
            skew.append(kind(feature_name=name, diff_count=differing, **counts))
        confusion = [
            message_class("ConfusionCount")(
                feature_name=name, base={"bytes_value": a}, test={"bytes_value": b}, count=count
            )
            for (name, a, b), count in sorted(self._confusion.items())
        ]
        pairs = [pair for _, _, pair in sorted(self._pairs, key=lambda e: e[:2], reverse=True)]
        return FeatureSkewResult(skew, pairs, self._matches, confusion)


_LIST_OF = {
    "base_only": "base_only_features",
    "test_only": "test_only_features",
    "match_count": "matched_features",
    "mismatch_count": "mismatched_features",
}


def _is_empty(feature: Any) -> bool:
    if feature is None:
        return True
    kind = feature.WhichOneof("kind")
    return kind is None or not getattr(feature, kind).value


def _single_string(name: str, feature: Any) -> bytes:
    if _is_empty(feature):
        return MISSING_VALUE
    kind = feature.WhichOneof("kind")
    values = feature.bytes_list.value
    if kind != "bytes_list" or len(values) != 1:
        what = f"{len(getattr(feature, kind).value)} values of {kind}"
        raise ValueError(
            "Confusion of values is counted for features with one string per row. Received: "
            f"feature {name!r} with {what}."
        )
    value: bytes = values[0]
    return value


def detect_feature_skew(
    baseline: Iterable[bytes],
    test: Iterable[bytes],
    identifier_features: Sequence[str],
    features_to_ignore: Sequence[str] = (),
    sample_size: int = 0,
    float_round_ndigits: int | None = None,
    allow_duplicate_identifiers: bool = False,
    confusion_features: Sequence[str] = (),
) -> FeatureSkewResult:
    """Compare two sets of serialized tf.Examples, joined on identifier features.

    Args:
        baseline: The examples to compare with, such as training data.
        test: The examples that are looked at, such as serving data.
        identifier_features: See FeatureSkewDetector, as for all that follow.
        features_to_ignore: Features that are not compared.
        sample_size: How many pairs of differing examples to return.
        float_round_ndigits: Decimal digits to which floats are rounded first.
        allow_duplicate_identifiers: Whether to compare examples that share an identifier.
        confusion_features: Features whose pairs of values are counted.

    Example:
        >>> found = detect_feature_skew(read_tfrecords("a"), read_tfrecords("b"), ["id"])
        >>> found.match_stats.matching_pairs_count
        100
    """
    detector = FeatureSkewDetector(
        identifier_features,
        features_to_ignore,
        sample_size,
        float_round_ndigits,
        allow_duplicate_identifiers,
        confusion_features,
    )
    detector.compare(baseline, test)
    return detector.result()
