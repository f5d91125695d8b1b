"""Token statistics of features that the schema declares to be natural language."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np
import pyarrow as pa
from tensorflow_metadata.proto.v0 import schema_pb2, statistics_pb2

from penstock.data_validation.path_steps import PathSteps
from penstock.data_validation.schema_features import all_features
from penstock.data_validation.statistics.generators.base import (
    CombinerFeatureStatsGenerator,
    is_text,
)
from penstock.data_validation.statistics.histograms import quantiles_histogram
from penstock.data_validation.statistics.quantiles import Quantiles
from penstock.data_validation.statistics.value_counts import ValueCounts
from penstock.data_validation.stats_options import StatsOptions
from penstock.io.files.filesystem import open_binary

_REPORTED_SEQUENCES = 5
_Token = str | int


class _Occurrences:
    """How often one token occurs, and where in its sequence."""

    def __init__(self) -> None:
        self.total = 0
        self.sequences = 0
        self.least: int | None = None
        self.most = 0
        self.positions: Counter[int] = Counter()

    def add(self, places: Sequence[int], length: int, buckets: int) -> None:
        count = len(places)
        self.total += count
        self.sequences += count > 0
        self.least = count if self.least is None else min(self.least, count)
        self.most = max(self.most, count)
        self.positions.update(int(place / length * buckets) for place in places)

    def merge(self, other: "_Occurrences") -> None:
        self.total += other.total
        self.sequences += other.sequences
        if other.least is not None:
            self.least = other.least if self.least is None else min(self.least, other.least)
        self.most = max(self.most, other.most)
        self.positions.update(other.positions)


class TokenCounts:
    """What was counted of one feature's sequences of tokens."""

    def __init__(self, epsilon: float, listed: int) -> None:
        self.rows = self.tokens = self.known = self.known_length = 0
        self.shortest: int | None = None
        self.longest = 0
        self.lengths = Quantiles(epsilon)
        self.token_lengths = Quantiles(epsilon)
        self.counts = ValueCounts(listed, False)
        self.occurrences: dict[_Token, _Occurrences] = {}
        self.least_covered: dict[str, float] = {}
        self.least_long: dict[str, float] = {}
        self.seen = False

    def merge(self, other: "TokenCounts") -> None:
        """Add the state of another one."""
        for name in ("rows", "tokens", "known", "known_length"):
            setattr(self, name, getattr(self, name) + getattr(other, name))
        if other.shortest is not None:
            mine = other.shortest if self.shortest is None else self.shortest
            self.shortest = min(mine, other.shortest)
        self.longest = max(self.longest, other.longest)
        self.lengths.merge(other.lengths)
        self.token_lengths.merge(other.token_lengths)
        self.counts.merge(other.counts)
        for token, occurrences in other.occurrences.items():
            self.occurrences.setdefault(token, _Occurrences()).merge(occurrences)
        self.least_covered = _least({**self.least_covered, **other.least_covered})
        self.least_long = _least({**self.least_long, **other.least_long})
        self.seen |= other.seen


def _least(reported: Mapping[str, float]) -> dict[str, float]:
    ordered = sorted(reported.items(), key=lambda item: (item[1], item[0]))
    return dict(ordered[:_REPORTED_SEQUENCES])


class _Domain:
    """What the schema says about one feature's tokens."""

    def __init__(
        self, domain: schema_pb2.NaturalLanguageDomain, vocabularies: Mapping[str, dict[str, int]]
    ) -> None:
        if domain.vocabulary and domain.vocabulary not in vocabularies:
            raise ValueError(
                f"The schema names the vocabulary {domain.vocabulary!r}; vocab_paths has "
                f"{sorted(vocabularies)}. Add its file to StatsOptions(vocab_paths=...)."
            )
        self.ids = vocabularies.get(domain.vocabulary)
        self.names = {i: token for token, i in self.ids.items()} if self.ids is not None else None
        self.excluded: set[_Token] = {
            *domain.coverage.excluded_string_tokens,
            *domain.coverage.excluded_int_tokens,
        }
        self.unknown = set(domain.coverage.oov_string_tokens)
        limits = domain.sequence_length_constraints
        self.not_counted: set[_Token] = {*limits.excluded_int_value, *limits.excluded_string_value}
        self.watched = [
            getattr(c, c.WhichOneof("value") or "int_value") for c in domain.token_constraints
        ]


class TokenStats(CombinerFeatureStatsGenerator):
    """NaturalLanguageStatistics (`nl_statistics`): coverage by a vocabulary, lengths, tokens.

    Args:
        options: The schema's natural-language domains, `vocab_paths` and numbers of buckets.

    Raises:
        ValueError: If a vocabulary that the schema names has no file.
    """

    def __init__(self, options: StatsOptions) -> None:
        self._options = options
        assert options.schema is not None
        vocabularies = {name: load_vocabulary(path) for name, path in options.vocab_paths.items()}
        self._domains = {
            path: _Domain(feature.natural_language_domain, vocabularies)
            for path, feature in all_features(options.schema)
            if feature.HasField("natural_language_domain")
            and feature.natural_language_domain.ByteSize()
        }

    def create_accumulator(self) -> TokenCounts:
        """Return no counts."""
        return TokenCounts(self._options.epsilon, self._options.num_rank_histogram_buckets)

    def add_input(self, accumulator: TokenCounts, path: PathSteps, array: pa.Array) -> TokenCounts:
        """Add a column; each row is a sequence of tokens or of their numbers."""
        domain = self._domains.get(path)
        if domain is None or pa.types.is_null(array.type):
            return accumulator
        kind = array.type.value_type if pa.types.is_nested(array.type) else array.type
        if not is_text(kind) and not pa.types.is_integer(kind):
            return accumulator
        accumulator.seen = True
        known: list[str] = []
        lengths = []
        for row in array.to_pylist():
            if row is None:
                continue
            accumulator.rows += 1
            tokens = [t.decode("utf-8", "replace") if isinstance(t, bytes) else t for t in row]
            if tokens:
                lengths.append(self._add_sequence(accumulator, domain, tokens))
            known += _covered(accumulator, domain, tokens)
        if lengths:
            accumulator.lengths.add(np.array(lengths, np.float64))
            shortest = min(lengths)
            mine = shortest if accumulator.shortest is None else accumulator.shortest
            accumulator.shortest = min(mine, shortest)
            accumulator.longest = max(accumulator.longest, *lengths)
        if known:
            sizes = np.array([len(token) for token in known], np.float64)
            accumulator.known += len(known)
            accumulator.known_length += int(sizes.sum())
            accumulator.token_lengths.add(sizes)
            accumulator.counts.add(pa.array(known, pa.string()), None)
        return accumulator

    def _add_sequence(
        self, accumulator: TokenCounts, domain: _Domain, tokens: Sequence[_Token]
    ) -> int:
        """Add a sequence's occurrences and return its length without excluded tokens."""
        other = [_translate(domain, token) for token in tokens]
        for token in domain.watched:
            places = [i for i, pair in enumerate(zip(tokens, other, strict=True)) if token in pair]
            found = accumulator.occurrences.setdefault(token, _Occurrences())
            found.add(places, len(tokens), self._options.num_histogram_buckets)
        named = [
            next((each for each in pair if isinstance(each, str)), pair[0])
            for pair in zip(tokens, other, strict=True)
        ]
        sizes = [len(t) for t in named if isinstance(t, str) and t not in domain.unknown]
        shown = str(named)
        accumulator.least_covered[shown] = len(sizes) / len(tokens)
        accumulator.least_long[shown] = sum(sizes) / len(sizes) if sizes else 0.0
        if len(accumulator.least_covered) > 20 * _REPORTED_SEQUENCES:
            accumulator.least_covered = _least(accumulator.least_covered)
            accumulator.least_long = _least(accumulator.least_long)
        return sum(not domain.not_counted & set(pair) for pair in zip(tokens, other, strict=True))

    def merge_accumulators(self, accumulators: Iterable[TokenCounts]) -> TokenCounts:
        """Add up."""
        merged = self.create_accumulator()
        for accumulator in accumulators:
            merged.merge(accumulator)
        return merged

    def extract_output(self, accumulator: TokenCounts) -> statistics_pb2.FeatureNameStatistics:
        """Return `nl_statistics`, or nothing for features that are not declared."""
        result = statistics_pb2.FeatureNameStatistics()
        if not accumulator.seen:
            return result
        proto = statistics_pb2.NaturalLanguageStatistics()
        if accumulator.tokens:
            proto.feature_coverage = accumulator.known / accumulator.tokens
        if accumulator.known:
            proto.avg_token_length = accumulator.known_length / accumulator.known
        proto.min_sequence_length = accumulator.shortest or 0
        proto.max_sequence_length = accumulator.longest
        buckets = self._options.num_quantiles_histogram_buckets
        for sizes, field, seen in (
            (accumulator.token_lengths, "token_length_histogram", accumulator.known),
            (accumulator.lengths, "sequence_length_histogram", accumulator.shortest is not None),
        ):
            if seen:
                histogram = quantiles_histogram(*sizes.with_weights(buckets))
                getattr(proto, field).CopyFrom(histogram)
        listed = accumulator.counts.most_frequent(self._options.num_rank_histogram_buckets)
        for rank, (value, count) in enumerate(listed):
            proto.rank_histogram.buckets.add(
                low_rank=rank, high_rank=rank, label=value, sample_count=count
            )
        for token, occurrences in sorted(accumulator.occurrences.items(), key=lambda i: str(i[0])):
            self._add_token(proto.token_statistics.add(), token, occurrences, accumulator.rows)
        for reported in (accumulator.least_covered, accumulator.least_long):
            proto.reported_sequences.extend(_least(reported))
        result.custom_stats.add(name="nl_statistics").any.Pack(proto)
        return result

    def _add_token(self, proto: Any, token: _Token, found: _Occurrences, rows: int) -> None:
        setattr(proto, "int_token" if isinstance(token, int) else "string_token", token)
        if not found.sequences:
            return
        proto.frequency = found.total
        proto.fraction_of_sequences = found.sequences / rows
        proto.per_sequence_min_frequency = found.least or 0
        proto.per_sequence_max_frequency = found.most
        proto.per_sequence_avg_frequency = found.total / found.sequences
        width = 1 / self._options.num_histogram_buckets
        for place, count in sorted(found.positions.items()):
            proto.positions.buckets.add(
                low_value=place * width, high_value=(place + 1) * width, sample_count=count
            )


def _translate(domain: _Domain, token: _Token) -> _Token:
    table: Mapping[Any, _Token] | None = domain.ids if isinstance(token, str) else domain.names
    return token if table is None else table.get(token, token)


def _covered(accumulator: TokenCounts, domain: _Domain, tokens: Sequence[_Token]) -> list[str]:
    """Count tokens that are not excluded and return those that the vocabulary covers."""
    known = []
    for token in tokens:
        pair = (token, _translate(domain, token))
        if domain.excluded & set(pair):
            continue
        accumulator.tokens += 1
        word = next((each for each in pair if isinstance(each, str)), None)
        if word is not None and word not in domain.unknown:
            known.append(word)
    return known


def load_vocabulary(path: str) -> dict[str, int]:
    """Read a vocabulary: a text file with one token per line, gzipped or not, or TFRecords.

    Args:
        path: A local path or an fsspec URL.

    Returns:
        The number of each token, from 0.
    """
    if ".tfrecord" in path:
        from penstock.io.tfrecord.records import read_tfrecords

        lines = [record.decode("utf-8") for record in read_tfrecords(path)]
    else:
        import gzip

        with open_binary(path) as file:
            content = file.read()
        if content[:2] == b"\x1f\x8b":
            content = gzip.decompress(content)
        lines = content.decode("utf-8").splitlines()
    return {token: number for number, token in reversed(list(enumerate(lines)))}
