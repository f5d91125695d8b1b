"""ExampleDiff: how two sets of examples differ, row by row."""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Sequence
from typing import TYPE_CHECKING, ClassVar

from penstock.artifacts import Examples, ExamplesDiff
from penstock.artifacts.standard import DEFAULT_PAYLOAD_FORMAT
from penstock.components.split_pairs import check_pairs, split_pairs
from penstock.dsl import Component, ExecutionContext, Input, Output, output
from penstock.spelling import names_its_arguments

if TYPE_CHECKING:
    from penstock.data_validation.skew.detector import FeatureSkewResult

_PAYLOAD = (DEFAULT_PAYLOAD_FORMAT, "ExampleDiff")
_RESULTS = ("skew_stats", "sample_pairs", "match_stats", "confusion")


@names_its_arguments
@dataclasses.dataclass(frozen=True)
class PairedExampleSkew:
    """How examples are joined and compared.

    Args:
        identifier_features: Features that together identify an example.
        skew_sample_size: How many pairs of differing examples to write.
        ignore_features: Features that are not compared.
        float_round_ndigits: Decimal digits to which floats are rounded first; None compares them
            unrounded.
        allow_duplicate_identifiers: Whether to compare examples that share an identifier; otherwise
            they are skipped and counted.
        confusion_features: Features with one string per row whose pairs of values are counted.
    """

    identifier_features: Sequence[str]
    skew_sample_size: int = 0
    ignore_features: Sequence[str] = ()
    float_round_ndigits: int | None = None
    allow_duplicate_identifiers: bool = False
    confusion_features: Sequence[str] = ()

    def __post_init__(self) -> None:
        if not self.identifier_features or isinstance(self.identifier_features, str):
            raise ValueError(
                "PairedExampleSkew needs identifier_features, a list of names. Received: "
                f"identifier_features={self.identifier_features!r}"
            )


@names_its_arguments
@dataclasses.dataclass(frozen=True)
class ExampleDiffConfig:
    """Settings of ExampleDiff.

    Args:
        paired_example_skew: How examples are joined and compared.
    """

    paired_example_skew: PairedExampleSkew


class ExampleDiff(Component):
    """Joins two sets of examples on identifier features and compares them feature by feature.

    Args:
        examples_test: The examples to examine, such as serving data.
        examples_base: The examples to compare with, such as training data.
        config: How to join and compare.
        include_split_pairs: Pairs (split, split of the baseline); by default all pairs.

    Outputs:
        example_diff_result: For each pair `SplitPair-<split>_<baseline split>/` the TFRecord files
            `skew_stats`, `sample_pairs`, `match_stats` and `confusion` (`-00000-of-00001`) with
            TFDV's messages FeatureSkew, SkewPair, MatchStats and ConfusionCount.

    Example:
        ExampleDiff(
            examples_test=serving.outputs["examples"],
            examples_base=training.outputs["examples"],
            config=ExampleDiffConfig(PairedExampleSkew(["id"], skew_sample_size=20)),
        )
    """

    TYPE_NAME: ClassVar = "tfx.components.example_diff.component.ExampleDiff"
    LIBRARIES: ClassVar = ("pyarrow", "tfx-bsl")
    USES_SEED: ClassVar = False

    examples_test: Input[Examples]
    examples_base: Input[Examples]
    config: ExampleDiffConfig
    include_split_pairs: Sequence[Sequence[str]] | None = None
    example_diff_result: Output[ExamplesDiff] = output()

    def check(self) -> None:
        """Check the form of the split pairs."""
        check_pairs(self.include_split_pairs)

    def run(self, context: ExecutionContext) -> None:
        """Compare each pair of splits and write the differences."""
        pairs = split_pairs(
            self.examples_test,
            self.examples_base,
            self.include_split_pairs,
            by_default_same_name=False,
        )
        features: dict[str, None] = {}
        for split, baseline_split in pairs:
            found = self._compare(context, split, baseline_split)
            differing = {
                skew.feature_name: skew.diff_count for skew in found.skew if skew.diff_count
            }
            features.update(dict.fromkeys(differing))
            context.log.info(
                "Splits %s and %s: %d pairs, %s",
                split,
                baseline_split,
                found.match_stats.matching_pairs_count,
                f"differing in {differing}" if differing else "none differing",
            )
            self._write(found, f"{self.example_diff_result.uri}/SplitPair-{split}_{baseline_split}")
        text = f"differing in {', '.join(features)}" if features else "no difference"
        context.report_verdict(text, ok=not features)
        names = [f"{split}_{baseline_split}" for split, baseline_split in pairs]
        self.example_diff_result.custom_properties["split_names"] = names

    def _compare(
        self, context: ExecutionContext, split: str, baseline_split: str
    ) -> FeatureSkewResult:
        from penstock.data_validation import FeatureSkewDetector
        from penstock.engines import engine_of
        from penstock.io import ExamplesSplit

        how = self.config.paired_example_skew
        make_detector = functools.partial(
            FeatureSkewDetector,
            tuple(how.identifier_features),
            tuple(how.ignore_features),
            how.skew_sample_size,
            how.float_round_ndigits,
            how.allow_duplicate_identifiers,
            tuple(how.confusion_features),
        )
        return engine_of(context).feature_skew(
            ExamplesSplit.of(self.examples_base, baseline_split).with_payload(*_PAYLOAD),
            ExamplesSplit.of(self.examples_test, split).with_payload(*_PAYLOAD),
            make_detector,
            self.example_diff_result.uri,
        )

    def _write(self, found: FeatureSkewResult, folder: str) -> None:
        from penstock.io import TFRecordWriter

        results = (found.skew, found.pairs, [found.match_stats], found.confusion)
        for name, messages in zip(_RESULTS, results, strict=True):
            with TFRecordWriter(f"{folder}/{name}-00000-of-00001", "") as writer:
                for message in messages:
                    writer.write(message.SerializeToString(deterministic=True))
