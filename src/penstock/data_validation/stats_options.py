"""What statistics to compute: TFDV's StatsOptions, importable without pyarrow."""

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Self

if TYPE_CHECKING:
    import pyarrow as pa
    from tensorflow_metadata.proto.v0 import schema_pb2

    from penstock.data_validation.statistics.generators.base import StatsGenerator

    SliceFunction = Callable[[pa.RecordBatch], Iterable[tuple[str, pa.RecordBatch]]]

_INTEGERS_FROM_ONE = (
    "num_top_values",
    "num_rank_histogram_buckets",
    "num_histogram_buckets",
    "num_quantiles_histogram_buckets",
    "desired_batch_size",
)
_CODE = ("experimental_slice_functions", "generators")


class StatsOptions:
    """Options of the statistics; names and defaults are TFDV's.

    Args:
        schema: Says which features are categorical integers, images or non-categorical strings.
        weight_feature: The feature whose one numeric value a row is the row's weight.
        per_feature_weight_override: Another weight feature for some features, by name.
        experimental_slice_functions: Each maps a RecordBatch to (slice name, rows of the slice);
            every slice gets statistics of its own beside "All Examples".
        sample_rate: The fraction of rows to look at, in (0, 1].
        num_top_values: How many most frequent values of a string feature to list.
        frequency_threshold: How often a value must occur to be listed.
        weighted_frequency_threshold: The same for weighted counts.
        num_rank_histogram_buckets: How many values of a string feature the rank histogram has.
        num_values_histogram_buckets: Buckets of the histogram of values a row, 2 or more.
        num_histogram_buckets: Buckets of a numeric feature's equi-width histogram.
        num_quantiles_histogram_buckets: Buckets of a numeric feature's quantiles histogram.
        epsilon: The error of the quantiles, as a fraction of the number of values.
        infer_type_from_schema: Take the types of CSV columns from `schema`.
        desired_batch_size: Rows that are decoded at once.
        feature_allowlist: The names of the features to look at; by default all.
        generators: Further statistics: CrossFeatureStats, MutualInformation, ImageStats, or one's own
            (CombinerStatsGenerator, CombinerFeatureStatsGenerator).
        add_default_generators: Whether to compute the common statistics, too.
        label_feature: A label; with `schema`, the lift of its values by categorical features.
        vocab_paths: Files of vocabularies by the names that the schema's natural-language domains
            give them.
        enable_semantic_domain_stats: Whether to recognize images, natural language and times.
        use_sketch_based_topk_uniques: Taken for TFDV's sake and without effect: values are counted
            exactly while they fit into memory and by sketch beyond.
        slicing_config: Slices by values, each a mapping from features to values (None for all).

    Example:
        >>> StatsOptions(num_top_values=5, weight_feature="weight")
    """

    def __init__(
        self,
        *,
        schema: "schema_pb2.Schema | None" = None,
        weight_feature: str | None = None,
        per_feature_weight_override: Mapping[str, str] | None = None,
        experimental_slice_functions: "Sequence[SliceFunction] | None" = None,
        sample_rate: float | None = None,
        num_top_values: int = 20,
        frequency_threshold: int = 1,
        weighted_frequency_threshold: float = 1.0,
        num_rank_histogram_buckets: int = 1000,
        num_values_histogram_buckets: int = 10,
        num_histogram_buckets: int = 10,
        num_quantiles_histogram_buckets: int = 10,
        epsilon: float = 0.01,
        infer_type_from_schema: bool = False,
        desired_batch_size: int | None = None,
        feature_allowlist: Sequence[str] | None = None,
        generators: "Sequence[StatsGenerator] | None" = None,
        add_default_generators: bool = True,
        label_feature: str | None = None,
        vocab_paths: Mapping[str, str] | None = None,
        enable_semantic_domain_stats: bool = False,
        slicing_config: "Sequence[Mapping[str, Sequence[str | int] | None]] | None" = None,
        use_sketch_based_topk_uniques: bool = False,
    ) -> None:
        self.schema = schema
        self.weight_feature = weight_feature
        self.per_feature_weight_override = dict(per_feature_weight_override or {})
        self.experimental_slice_functions = list(experimental_slice_functions or [])
        self.sample_rate = sample_rate
        self.num_top_values = num_top_values
        self.frequency_threshold = frequency_threshold
        self.weighted_frequency_threshold = weighted_frequency_threshold
        self.num_rank_histogram_buckets = num_rank_histogram_buckets
        self.num_values_histogram_buckets = num_values_histogram_buckets
        self.num_histogram_buckets = num_histogram_buckets
        self.num_quantiles_histogram_buckets = num_quantiles_histogram_buckets
        self.epsilon = epsilon
        self.infer_type_from_schema = infer_type_from_schema
        self.desired_batch_size = desired_batch_size
        self.feature_allowlist = None if feature_allowlist is None else list(feature_allowlist)
        self.generators = list(generators or [])
        self.add_default_generators = add_default_generators
        self.label_feature = label_feature
        self.vocab_paths = dict(vocab_paths or {})
        self.enable_semantic_domain_stats = enable_semantic_domain_stats
        self.slicing_config = [dict(each) for each in slicing_config or []]
        self.use_sketch_based_topk_uniques = use_sketch_based_topk_uniques
        self._check()

    def _check(self) -> None:
        for name in _INTEGERS_FROM_ONE:
            value = getattr(self, name)
            if value is not None and value < 1:
                raise ValueError(f"{name} must be 1 or more. Received: {name}={value!r}")
        if self.num_values_histogram_buckets < 2:
            raise ValueError(
                f"num_values_histogram_buckets must be 2 or more. Received: "
                f"num_values_histogram_buckets={self.num_values_histogram_buckets!r}"
            )
        if self.sample_rate is not None and not 0 < self.sample_rate <= 1:
            raise ValueError(
                f"sample_rate must be in (0, 1]. Received: sample_rate={self.sample_rate!r}"
            )
        if not 0 < self.epsilon < 1:
            raise ValueError(f"epsilon must be in (0, 1). Received: epsilon={self.epsilon!r}")
        if self.infer_type_from_schema and self.schema is None:
            raise ValueError("infer_type_from_schema=True needs a schema. Received: schema=None")
        if not all(self.slicing_config):
            raise ValueError("A slice of slicing_config needs a feature. Received: {}")

    def to_json(self) -> str:
        """Returns the options as a JSON string.

        Raises:
            ValueError: If slice functions or generators are set: code has no JSON form.
        """
        for name in _CODE:
            if getattr(self, name):
                raise ValueError(f"StatsOptions with {name} cannot be written as JSON.")
        values = {k: v for k, v in vars(self).items() if k not in _CODE}
        if self.schema is not None:
            from google.protobuf import json_format

            del values["schema"]
            values["schema_json"] = json_format.MessageToJson(self.schema)
        return json.dumps(values, sort_keys=True)

    @classmethod
    def from_json(cls, options_json: str) -> Self:
        """Builds the options from what `to_json` returned."""
        values: dict[str, Any] = json.loads(options_json)
        schema_json = values.pop("schema_json", None)
        if schema_json is not None:
            from google.protobuf import json_format
            from tensorflow_metadata.proto.v0 import schema_pb2

            values["schema"] = json_format.Parse(schema_json, schema_pb2.Schema())
        return cls(**values)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, StatsOptions) and vars(self) == vars(other)

    __hash__ = None  # type: ignore[assignment]

    def __repr__(self) -> str:
        defaults = vars(StatsOptions())
        changed = [f"{k}={v!r}" for k, v in vars(self).items() if v != defaults[k]]
        return f"StatsOptions({', '.join(changed)})"
