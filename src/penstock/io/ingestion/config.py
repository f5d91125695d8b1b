"""The configuration of ExampleGen components' input and splits: TFX's messages as plain dataclasses.

The names and defaults are those of TFX's `example_gen.proto` and `range_config.proto`.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from typing import Any, Self

from penstock.spelling import names_its_arguments

_ALL_FILES = "*"


def _known_only(cls: type, value: Mapping[str, Any]) -> None:
    known = [entry.name for entry in fields(cls)]
    unknown = sorted(set(value) - set(known))
    if unknown:
        raise ValueError(f"{cls.__name__} has no field {unknown}. Fields: {known}")


@names_its_arguments
@dataclass(frozen=True)
class Split:
    """One split, of the input or of the output.

    Args:
        name: The split's name: the folder is `Split-<name>`.
        pattern: Input only: the files that belong to it, as a glob relative to the input's base;
            may contain `{SPAN}`, `{VERSION}`, `{YYYY}`, `{MM}`, `{DD}`.
        hash_buckets: Output only: how many of the hash buckets belong to it.
    """

    name: str
    pattern: str = _ALL_FILES
    hash_buckets: int = 0

    def __post_init__(self) -> None:
        if not self.name:
            raise ValueError("A split needs a name. Received: name=''")
        if "/" in self.name:
            raise ValueError(
                f"A split is one folder: its name has no '/'. Received: name={self.name!r}"
            )

    def to_json(self) -> dict[str, Any]:
        """Return the fields as JSON values."""
        return {"name": self.name, "pattern": self.pattern, "hash_buckets": self.hash_buckets}

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> Self:
        """Build it from what `to_json` returned."""
        _known_only(cls, value)
        return cls(**value)


def _unique_names(splits: list[Split], owner: str) -> None:
    names = [split.name for split in splits]
    if len(set(names)) != len(names):
        raise ValueError(f"{owner} has two splits of the same name. Received: {names}")


@names_its_arguments
@dataclass(frozen=True)
class Input:
    """The input splits of an ExampleGen.

    Args:
        splits: The splits and their files; by default one split, `single_split`, of all files.

    Example:
        >>> Input(splits=[Split("train", "train/*"), Split("eval", "eval/*")])
    """

    splits: list[Split] = field(default_factory=lambda: [Split("single_split")])

    def __post_init__(self) -> None:
        if not self.splits:
            raise ValueError("Input needs at least one split. Received: splits=[]")
        _unique_names(self.splits, "Input")
        for split in self.splits:
            # A runtime parameter, which has no value yet, is no str.
            if isinstance(split.pattern, str) and not split.pattern:
                raise ValueError(
                    f"Input split {split.name!r} needs a pattern (or a query). Received: pattern=''"
                )
            if split.hash_buckets:
                raise ValueError(
                    f"Input split {split.name!r} takes no hash_buckets: they divide rows into output "
                    f"splits. Received: hash_buckets={split.hash_buckets}"
                )

    def to_json(self) -> dict[str, Any]:
        """Return the fields as JSON values."""
        return {"splits": [split.to_json() for split in self.splits]}

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> Self:
        """Build it from what `to_json` returned."""
        _known_only(cls, value)
        return cls(splits=[Split.from_json(split) for split in value["splits"]])


@names_its_arguments
@dataclass(frozen=True)
class SplitConfig:
    """How rows are divided into output splits.

    Args:
        splits: The output splits with their hash buckets. The order matters. Empty: the output
            has the input's splits.
        partition_feature_name: Rows with equal values of this feature (bytes or int64) go to the
            same split; by default the whole row is hashed.
    """

    splits: list[Split] = field(default_factory=list)
    partition_feature_name: str = ""

    def __post_init__(self) -> None:
        _unique_names(self.splits, "SplitConfig")
        for split in self.splits:
            if isinstance(split.hash_buckets, int) and split.hash_buckets <= 0:
                raise ValueError(
                    f"Output split {split.name!r} needs hash_buckets of 1 or more. "
                    f"Received: hash_buckets={split.hash_buckets}"
                )
            if split.pattern != _ALL_FILES:
                raise ValueError(
                    f"Output split {split.name!r} takes no pattern: patterns choose the files of input "
                    f"splits. Received: pattern={split.pattern!r}"
                )
        if self.partition_feature_name and not self.splits:
            raise ValueError(
                "partition_feature_name needs output splits to partition into. "
                f"Received: partition_feature_name={self.partition_feature_name!r}, splits=[]"
            )

    def to_json(self) -> dict[str, Any]:
        """Return the fields as JSON values."""
        return {
            "splits": [split.to_json() for split in self.splits],
            "partition_feature_name": self.partition_feature_name,
        }

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> Self:
        """Build it from what `to_json` returned."""
        _known_only(cls, value)
        return cls(
            splits=[Split.from_json(split) for split in value.get("splits", [])],
            partition_feature_name=value.get("partition_feature_name", ""),
        )


@names_its_arguments
@dataclass(frozen=True)
class Output:
    """The output of an ExampleGen.

    Args:
        split_config: How rows are divided into splits.

    Example:
        >>> Output(SplitConfig([Split("train", hash_buckets=8), Split("eval", hash_buckets=2)]))
        >>> Output.hashed(train=8, eval=2)  # the same
    """

    split_config: SplitConfig = field(default_factory=SplitConfig)

    @classmethod
    def hashed(cls, *, partition_feature_name: str = "", **buckets: int) -> Self:
        """Divide rows by their hash, in so many parts of the whole.

        Args:
            partition_feature_name: Rows with equal values of this feature go to the same split.
            **buckets: By split, in order, its share of all buckets.

        Raises:
            ValueError: If no split is named, or one has no buckets.

        Example:
            >>> Output.hashed(train=6, eval=2, test=2)
        """
        if not buckets:
            raise ValueError(
                "Output.hashed divides rows into the splits that you name: train=8, eval=2"
            )
        splits = [Split(name, hash_buckets=share) for name, share in buckets.items()]
        return cls(SplitConfig(splits, partition_feature_name))

    def to_json(self) -> dict[str, Any]:
        """Return the fields as JSON values."""
        return {"split_config": self.split_config.to_json()}

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> Self:
        """Build it from what `to_json` returned."""
        _known_only(cls, value)
        return cls(SplitConfig.from_json(value.get("split_config", {})))

    @classmethod
    def default_for(cls, input_config: Input) -> "Output":
        """Return TFX's default: two parts train, one eval; the input's splits if it has several."""
        if len(input_config.splits) > 1:
            return Output()
        train, evaluation = Split("train", hash_buckets=2), Split("eval", hash_buckets=1)
        return Output(SplitConfig([train, evaluation]))


@names_its_arguments
@dataclass(frozen=True)
class StaticRange:
    """The spans from `start_span_number` to `end_span_number`, both included."""

    start_span_number: int
    end_span_number: int

    def __post_init__(self) -> None:
        bounds = self.start_span_number, self.end_span_number
        # A runtime parameter, which has no value yet, is no int.
        if all(isinstance(each, int) for each in bounds) and bounds[0] > bounds[1]:
            raise ValueError(
                f"A range must start at or before its end. Received: start_span_number="
                f"{self.start_span_number}, end_span_number={self.end_span_number}"
            )


@names_its_arguments
@dataclass(frozen=True)
class RollingRange:
    """The latest `num_spans` spans, starting at `start_span_number` at the earliest."""

    num_spans: int
    start_span_number: int = 0

    def __post_init__(self) -> None:
        if isinstance(self.num_spans, int) and self.num_spans <= 0:
            raise ValueError(f"num_spans must be 1 or more. Received: num_spans={self.num_spans}")


@names_its_arguments
@dataclass(frozen=True)
class RangeConfig:
    """The spans to take: exactly one of a static and a rolling range.

    Example:
        >>> RangeConfig(static_range=StaticRange(7, 7))
    """

    static_range: StaticRange | None = None
    rolling_range: RollingRange | None = None

    def __post_init__(self) -> None:
        if (self.static_range is None) == (self.rolling_range is None):
            raise ValueError(
                f"RangeConfig takes either static_range or rolling_range. Received: "
                f"static_range={self.static_range}, rolling_range={self.rolling_range}"
            )

    def to_json(self) -> dict[str, Any]:
        """Return the fields as JSON values."""
        if self.static_range is not None:
            return {"static_range": vars(self.static_range).copy()}
        return {"rolling_range": vars(self.rolling_range).copy()}

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> Self:
        """Build it from what `to_json` returned."""
        _known_only(cls, value)
        static, rolling = value.get("static_range"), value.get("rolling_range")
        return cls(
            static_range=StaticRange(**static) if static else None,
            rolling_range=RollingRange(**rolling) if rolling else None,
        )
