"""Options of the statistics: TFDV's StatsOptions, importable without pyarrow."""

import copy
import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Self

from penstock.data_validation.option_checks import (
    check_elements,
    check_types,
    check_values,
    column_of,
    message_name,
    only_one,
    path_of,
    tell_without_effect,
)
from penstock.data_validation.slicing_config import Slice, slices_of
from penstock.spelling import names_its_arguments

if TYPE_CHECKING:
    import pyarrow as pa
    from tensorflow_metadata.proto.v0 import schema_pb2
    from tfx_bsl.public.proto.slicing_spec_pb2 import SlicingConfig

    from penstock.data_validation.path_steps import PathSteps
    from penstock.data_validation.per_feature_stats import PerFeatureStatsConfig
    from penstock.data_validation.statistics.generators.base import StatsGenerator

    SliceFunction = Callable[[pa.RecordBatch], Iterable[tuple[str, pa.RecordBatch]]]

_CODE = ("experimental_slice_functions", "generators", "per_feature_stats_config")
# Names of TFDV's JSON form that are not an argument's name behind an underscore.
_TFDV_NAMES = {"_slice_functions": "experimental_slice_functions"}


@names_its_arguments
class StatsOptions:
    """Options of the statistics; names and defaults are TFDV's.

    Args:
        schema: Says which features are categorical integers, images or non-categorical strings.
        weight_feature: The feature whose single numeric value per row is the row's weight.
        per_feature_weight_override: Another weight feature for some features, by name or path.
        experimental_slice_functions: Each maps a RecordBatch to (slice name, rows of the slice);
            every slice gets its own statistics beside "All Examples".
        sample_rate: The fraction of rows to use, in (0, 1].
        num_top_values: How many most frequent values of a string feature to list.
        frequency_threshold: How often a value must occur to be listed.
        weighted_frequency_threshold: The same for weighted counts.
        num_rank_histogram_buckets: How many values of a string feature the rank histogram has.
        num_values_histogram_buckets: Buckets of the histogram of values per row, 2 or more.
        num_histogram_buckets: Buckets of a numeric feature's equi-width histogram.
        num_quantiles_histogram_buckets: Buckets of a numeric feature's quantiles histogram.
        epsilon: The error of the quantiles, as a fraction of the number of values.
        infer_type_from_schema: Take the types of CSV columns from `schema`.
        desired_batch_size: Rows that are decoded at once.
        feature_allowlist: The names (or paths of one step) of the features to use; by default all.
        generators: Further statistics: CrossFeatureStats, MutualInformation, ImageStats, or your
            own (CombinerStatsGenerator, CombinerFeatureStatsGenerator).
        add_default_generators: Whether to compute the common statistics as well.
        label_feature: A label; with `schema`, the lift of its values by categorical features.
        vocab_paths: Files of vocabularies by the names that the schema's natural-language domains
            give them.
        enable_semantic_domain_stats: Whether to recognize images, natural language and times.
        semantic_domain_stats_sample_rate: Accepted for compatibility with TFDV; it has no effect,
            which is logged: all rows are used.
        slicing_config: Slices by values: a SlicingConfig, or a sequence of mappings from features to
            values (None for all).
        per_feature_stats_config: Which features get histograms and medians.
        use_sketch_based_topk_uniques: The same: values are counted exactly while they fit into memory and
            by sketch beyond.
        experimental_use_sketch_based_topk_uniques: Its former name; give one of the two.
        slice_functions: The former name of `experimental_slice_functions`; give one of the two.
        experimental_result_partitions: The same: the result is one file.
        experimental_num_feature_partitions: The same: work is divided by rows.
        experimental_filter_read_paths: The same: of Parquet only the columns of interest are ever read.

    Raises:
        TypeError: If a list, mapping or message is something else.
        ValueError: If a number is out of its range, or two options exclude each other.

    Example:
        >>> StatsOptions(num_top_values=5, weight_feature="weight")
    """

    def __init__(
        self,
        *,
        schema: "schema_pb2.Schema | None" = None,
        weight_feature: str | None = None,
        per_feature_weight_override: "Mapping[str | Sequence[str], str] | None" = None,
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
        feature_allowlist: "Sequence[str | Sequence[str]] | None" = None,
        generators: "Sequence[StatsGenerator] | None" = None,
        add_default_generators: bool = True,
        label_feature: str | None = None,
        vocab_paths: Mapping[str, str] | None = None,
        enable_semantic_domain_stats: bool = False,
        semantic_domain_stats_sample_rate: float | None = None,
        slicing_config: "SlicingConfig | str | Sequence[Slice] | None" = None,
        per_feature_stats_config: "PerFeatureStatsConfig | None" = None,
        use_sketch_based_topk_uniques: bool | None = None,
        experimental_use_sketch_based_topk_uniques: bool | None = None,
        slice_functions: "Sequence[SliceFunction] | None" = None,
        experimental_result_partitions: int = 1,
        experimental_num_feature_partitions: int = 1,
        experimental_filter_read_paths: bool = False,
    ) -> None:
        check_types(
            feature_allowlist=feature_allowlist,
            generators=generators,
            slice_functions=slice_functions,
            experimental_slice_functions=experimental_slice_functions,
        )
        check_elements(generators, [*(slice_functions or experimental_slice_functions or [])])
        if schema is not None and message_name(schema) != "tensorflow.metadata.v0.Schema":
            raise TypeError(f"schema must be a Schema message. Received: schema={schema!r}")
        if vocab_paths is not None and not isinstance(vocab_paths, Mapping):
            raise TypeError(
                f"vocab_paths must map names of vocabularies to files. Received: "
                f"vocab_paths={vocab_paths!r}"
            )
        only_one(
            slice_functions=slice_functions,
            experimental_slice_functions=experimental_slice_functions,
        )
        only_one(
            slicing_config=slicing_config or None,
            experimental_slice_functions=experimental_slice_functions or slice_functions or None,
        )
        only_one(
            use_sketch_based_topk_uniques=use_sketch_based_topk_uniques,
            experimental_use_sketch_based_topk_uniques=experimental_use_sketch_based_topk_uniques,
        )
        self.schema = schema
        self.weight_feature = weight_feature
        self.per_feature_weight_override = {
            path_of(feature): weight
            for feature, weight in (per_feature_weight_override or {}).items()
        }
        self.experimental_slice_functions = list(
            experimental_slice_functions or slice_functions or []
        )
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
        self.feature_allowlist = (
            None if feature_allowlist is None else list(map(column_of, feature_allowlist))
        )
        self.generators = list(generators or [])
        self.add_default_generators = add_default_generators
        self.label_feature = label_feature
        self.vocab_paths = dict(vocab_paths or {})
        self.enable_semantic_domain_stats = enable_semantic_domain_stats
        self.semantic_domain_stats_sample_rate = semantic_domain_stats_sample_rate
        self.slicing_config = slices_of(slicing_config)
        self.per_feature_stats_config = per_feature_stats_config
        self.use_sketch_based_topk_uniques = bool(
            use_sketch_based_topk_uniques or experimental_use_sketch_based_topk_uniques
        )
        self.experimental_result_partitions = experimental_result_partitions
        self.experimental_num_feature_partitions = experimental_num_feature_partitions
        self.experimental_filter_read_paths = experimental_filter_read_paths
        check_values(self)
        tell_without_effect(self, bool(experimental_use_sketch_based_topk_uniques))

    def replaced(self, **changes: Any) -> Self:
        """Return a copy with other values of some options.

        Raises:
            ValueError: As the constructor.
        """
        other = copy.copy(self)
        for name, value in changes.items():
            assert name in vars(self), name
            setattr(other, name, value)
        check_values(other)
        return other

    @property
    def weight_features(self) -> set[str]:
        """The names of all features with weights."""
        default = {self.weight_feature} if self.weight_feature is not None else set()
        return default | set(self.per_feature_weight_override.values())

    def weight_of(self, path: "PathSteps") -> str | None:
        """Return the name of the weight feature for the feature at `path`."""
        return self.per_feature_weight_override.get(path, self.weight_feature)

    def allows(self, name: str) -> bool:
        """Whether a column is to be looked at."""
        return self.feature_allowlist is None or name in self.feature_allowlist

    def to_json(self) -> str:
        """Return the options as a JSON string.

        Raises:
            ValueError: If slice functions, generators or a PerFeatureStatsConfig are set: they
                have no JSON form.
        """
        for name in _CODE:
            if getattr(self, name):
                raise ValueError(f"StatsOptions with {name} cannot be written as JSON.")
        values = {k: v for k, v in vars(self).items() if k not in _CODE}
        values["per_feature_weight_override"] = {
            json.dumps(path): weight for path, weight in self.per_feature_weight_override.items()
        }
        if self.schema is not None:
            from google.protobuf import json_format

            del values["schema"]
            values["schema_json"] = json_format.MessageToJson(self.schema)
        return json.dumps(values, sort_keys=True)

    @classmethod
    def from_json(cls, options_json: str) -> Self:
        """Return the options from the result of `to_json`, here or in TFDV.

        Raises:
            ValueError: If the JSON is of something else, or has options that are not known.
        """
        values: dict[str, Any] = json.loads(options_json)
        kind = values.pop("TYPE_NAME", "StatsOptions")
        if kind != "StatsOptions":
            raise ValueError(f"The JSON is not StatsOptions. Received: TYPE_NAME={kind!r}")
        values = {_TFDV_NAMES.get(name, name.removeprefix("_")): v for name, v in values.items()}
        schema_json = values.pop("schema_json", None)
        slicing_json = values.pop("slicing_config_json", None)
        if schema_json is not None:
            from google.protobuf import json_format
            from tensorflow_metadata.proto.v0 import schema_pb2

            values["schema"] = json_format.Parse(schema_json, schema_pb2.Schema())
        if slicing_json is not None:
            values["slicing_config"] = slicing_json
        weights = values.pop("per_feature_weight_override_json", None)
        weights = weights or values.pop("per_feature_weight_override", None) or {}
        values["per_feature_weight_override"] = {
            tuple(json.loads(path)): weight for path, weight in weights.items()
        }
        try:
            return cls(**values)
        except TypeError as error:
            raise ValueError(f"The JSON is of other StatsOptions: {error}") from error

    def __eq__(self, other: object) -> bool:
        return isinstance(other, StatsOptions) and vars(self) == vars(other)

    __hash__ = None  # type: ignore[assignment]

    def __repr__(self) -> str:
        defaults = vars(StatsOptions())
        changed = [f"{k}={v!r}" for k, v in vars(self).items() if v != defaults[k]]
        return f"StatsOptions({', '.join(changed)})"
