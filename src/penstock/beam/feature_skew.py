"""Comparing two sets of examples on Beam, joined on identifier features."""

from __future__ import annotations

import functools
import itertools
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import apache_beam as beam

from penstock.beam.exchange import Exchange
from penstock.beam.pipeline_options import BeamSetup

if TYPE_CHECKING:
    from penstock.data_validation import FeatureSkewDetector

MakeDetector = Callable[[], "FeatureSkewDetector"]
"""A picklable function that makes an empty detector."""

ReadRecords = Callable[[Sequence[str]], Iterable[bytes]]
"""A picklable function that yields the serialized tf.Examples of files."""

BASELINE, TEST = 0, 1


class _Example(NamedTuple):
    """An example with its place, by which those of one identifier are ordered."""

    place: tuple[int, int]
    record: bytes


class DetectFeatureSkew(beam.PTransform):  # type: ignore[misc]
    """Compares a pair of PCollections of serialized tf.Examples: the baseline, and the examples to examine.

    Args:
        identifier_features: See `penstock.data_validation.FeatureSkewDetector`, as for all that
            follow.
        features_to_ignore: Features that are not compared.
        sample_size: How many pairs of differing examples to return.
        float_round_ndigits: Decimal digits to which floats are rounded first.
        allow_duplicate_identifiers: Whether to compare examples that share an identifier.
        confusion_features: Features whose pairs of values are counted.

    Returns:
        PCollections of serialized messages, as `beam.io.WriteToTFRecord` takes them, under the names
        "skew_stats", "sample_pairs", "match_stats" and "confusion".

    Example:
        found = (training, serving) | DetectFeatureSkew(["id"], sample_size=10)
        found["skew_stats"] | beam.io.WriteToTFRecord("skew_stats")
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
        super().__init__()
        from penstock.data_validation import FeatureSkewDetector

        self._make = functools.partial(
            FeatureSkewDetector,
            tuple(identifier_features),
            tuple(features_to_ignore or ()),
            sample_size,
            float_round_ndigits,
            allow_duplicate_identifiers,
            tuple(confusion_features),
        )
        self._make()  # says at once what is wrong with the arguments

    def expand(self, examples: tuple[Any, Any]) -> dict[str, Any]:
        """Compare, and take the result apart."""
        placed = tuple(
            side | f"Place{number}" >> beam.Map(lambda record: _Example((0, 0), record))
            for number, side in enumerate(examples)
        )
        detector = placed | _Compare(self._make)
        return {
            name: detector | name >> beam.FlatMap(_messages, name)
            for name in ("skew_stats", "sample_pairs", "match_stats", "confusion")
        }


def compare_on_beam(
    engine: BeamSetup,
    baseline: tuple[Sequence[str], ReadRecords],
    test: tuple[Sequence[str], ReadRecords],
    make_detector: MakeDetector,
    exchange_folder: str,
) -> FeatureSkewDetector:
    """Compare the examples of files.

    Args:
        engine: Where to run.
        baseline: The files to compare with, and what reads them.
        test: The files that are looked at, and what reads them.
        make_detector: Makes an empty detector.
        exchange_folder: A folder that every worker and this process reach, for the result.

    Returns:
        A detector that has seen all examples.
    """
    engine.check_reachable([exchange_folder, *baseline[0], *test[0]])
    with Exchange(exchange_folder) as exchange:
        with engine.pipeline() as pipeline:
            sides = tuple(
                pipeline
                | f"Files{number}" >> beam.Create(list(enumerate(files)))
                | f"Spread{number}" >> beam.Reshuffle()
                | f"Read{number}" >> beam.FlatMap(_examples, read)
                for number, (files, read) in enumerate((baseline, test))
            )
            _ = (
                sides
                | "Compare" >> _Compare(make_detector)
                | "Name" >> beam.Map(lambda detector: ("detector", detector))
                | "Keep" >> exchange.keep()
            )
        detector: FeatureSkewDetector = exchange.read("detector")
    return detector


def _examples(file: tuple[int, str], read: ReadRecords) -> Iterator[_Example]:
    number, path = file
    for row, record in zip(itertools.count(), read([path]), strict=False):
        yield _Example((number, row), record)


class _Compare(beam.PTransform):  # type: ignore[misc]
    """Makes of two PCollections of examples a detector that has seen them."""

    def __init__(self, make: MakeDetector) -> None:
        super().__init__()
        self._make = make

    def expand(self, sides: tuple[Any, Any]) -> Any:
        """Join the examples by identifier, and compare where they meet."""
        keyed = [
            side
            | f"Identify{number}"
            >> beam.ParDo(_Identify(self._make, number)).with_outputs(_Identify.ALONE, main="main")
            for number, side in enumerate(sides)
        ]
        met = {number: each.main for number, each in enumerate(keyed)} | beam.CoGroupByKey()
        alone = tuple(each[_Identify.ALONE] for each in keyed)
        return (
            (met | "Met" >> beam.Values(), *alone)
            | beam.Flatten()
            | beam.CombineGlobally(_DetectorFn(self._make))
        )


class _Identify(beam.DoFn):  # type: ignore[misc]
    """Yields an example under its identifier, or alone if it has none."""

    ALONE = "alone"

    def __init__(self, make: MakeDetector, side: int) -> None:
        self._make = make
        self._side = side

    def setup(self) -> None:
        self._detector = self._make()

    def process(self, example: _Example) -> Iterator[Any]:
        identifier = self._detector.identifier_of(example.record)
        if identifier is None:
            yield beam.pvalue.TaggedOutput(self.ALONE, {self._side: [example]})
        else:
            yield identifier, example


class _DetectorFn(beam.CombineFn):  # type: ignore[misc]
    """Combines the examples of each identifier into a detector."""

    def __init__(self, make: MakeDetector) -> None:
        self._make = make

    def create_accumulator(self) -> FeatureSkewDetector:
        return self._make()

    def add_input(
        self, detector: FeatureSkewDetector, met: Mapping[int, Iterable[_Example]]
    ) -> FeatureSkewDetector:
        base, test = (
            [example.record for example in sorted(met.get(side, ()))] for side in (BASELINE, TEST)
        )
        detector.compare(base, test)
        return detector

    def merge_accumulators(self, detectors: Iterable[FeatureSkewDetector]) -> FeatureSkewDetector:
        merged = self._make()
        for detector in detectors:
            merged.merge(detector)
        return merged

    def extract_output(self, detector: FeatureSkewDetector) -> FeatureSkewDetector:
        return detector


def _messages(detector: FeatureSkewDetector, name: str) -> Iterator[bytes]:
    found = detector.result()
    messages = {
        "skew_stats": found.skew,
        "sample_pairs": found.pairs,
        "match_stats": [found.match_stats],
        "confusion": found.confusion,
    }
    for message in messages[name]:
        yield message.SerializeToString(deterministic=True)
