"""Checking the values of StatsOptions; needs no pyarrow."""

import logging
from collections.abc import Sequence
from numbers import Integral, Number
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from penstock.data_validation.path_steps import PathSteps
    from penstock.data_validation.stats_options import StatsOptions

_INTEGERS_FROM_ONE = (
    "num_top_values",
    "num_rank_histogram_buckets",
    "num_histogram_buckets",
    "num_quantiles_histogram_buckets",
    "desired_batch_size",
    "experimental_result_partitions",
    "experimental_num_feature_partitions",
)
_NUMBERS = (
    "epsilon",
    "frequency_threshold",
    "num_values_histogram_buckets",
    "sample_rate",
    "semantic_domain_stats_sample_rate",
    "weighted_frequency_threshold",
)
_RATES = ("sample_rate", "semantic_domain_stats_sample_rate")
# Taken so that options of TFDV's can be used, and said to be without effect.
WITHOUT_EFFECT = {
    "semantic_domain_stats_sample_rate": "all rows are used",
    "use_sketch_based_topk_uniques": (
        "values are counted exactly while they fit into memory, and by a sketch beyond that"
    ),
    "experimental_result_partitions": "the result is one file",
    "experimental_num_feature_partitions": "work is divided by rows",
    "experimental_filter_read_paths": "only the columns of interest are ever read",
}
_LOG = logging.getLogger(__name__)


def tell_without_effect(options: "StatsOptions", former_name: bool) -> None:
    """Log a warning for each option that is set but has no effect.

    Args:
        options: The options.
        former_name: Whether the sketch was asked for by the option's former name.
    """
    for name, reason in WITHOUT_EFFECT.items():
        value = getattr(options, name)
        if value is None or value is False or (value == 1 and value is not True):
            continue
        if former_name and name == "use_sketch_based_topk_uniques":
            name = f"experimental_{name}"
        _LOG.warning("StatsOptions(%s=%r) has no effect: %s.", name, value, reason)


def check_values(options: "StatsOptions") -> None:
    """Raise a TypeError or a ValueError if a value is out of its range."""
    for name in (*_INTEGERS_FROM_ONE, *_NUMBERS):
        value = getattr(options, name)
        if value is not None and (isinstance(value, bool) or not isinstance(value, Number)):
            raise TypeError(f"{name} must be a number. Received: {name}={value!r}")
    for name in (*_INTEGERS_FROM_ONE, "num_values_histogram_buckets"):
        value = getattr(options, name)
        if value is not None and not isinstance(value, Integral):
            raise TypeError(f"{name} must be a whole number. Received: {name}={value!r}")
    for name in _INTEGERS_FROM_ONE:
        value = getattr(options, name)
        if value is not None and value < 1:
            raise ValueError(f"{name} must be 1 or more. Received: {name}={value!r}")
    if options.num_values_histogram_buckets < 2:
        raise ValueError(
            f"num_values_histogram_buckets must be 2 or more. Received: "
            f"num_values_histogram_buckets={options.num_values_histogram_buckets!r}"
        )
    for name in _RATES:
        rate = getattr(options, name)
        if rate is not None and not 0 < rate <= 1:
            raise ValueError(f"{name} must be in (0, 1]. Received: {name}={rate!r}")
    if not 0 < options.epsilon < 1:
        raise ValueError(f"epsilon must be in (0, 1). Received: epsilon={options.epsilon!r}")
    if options.infer_type_from_schema and options.schema is None:
        raise ValueError("infer_type_from_schema=True needs a schema. Received: schema=None")
    if not all(options.slicing_config):
        raise ValueError("A slice of slicing_config needs a feature. Received: {}")


def check_types(**lists: Any) -> None:
    """Raise a TypeError if an option that takes a list is something else."""
    for name, value in lists.items():
        if value is not None and not isinstance(value, (list, tuple)):
            raise TypeError(f"{name} must be a list. Received: {name}={value!r}")


def check_elements(generators: "Sequence[object] | None", slice_functions: list[Any]) -> None:
    """Raise a TypeError if a generator or a slice function is something else."""
    for generator in generators or ():
        # By its methods, since their classes' module imports pyarrow.
        if not all(hasattr(generator, name) for name in ("add_input", "extract_output")):
            raise TypeError(
                f"generators must be CombinerStatsGenerator or CombinerFeatureStatsGenerator "
                f"objects. Received: {generator!r}"
            )
    for function in slice_functions:
        if not callable(function):
            raise TypeError(f"A slice function must be callable. Received: {function!r}")


def message_name(message: object) -> str | None:
    """Return the full name of a protobuf message; None for anything else."""
    return getattr(getattr(message, "DESCRIPTOR", None), "full_name", None)


def only_one(**arguments: Any) -> None:
    """Raise a ValueError if all of some options are given."""
    if all(value is not None for value in arguments.values()):
        raise ValueError(f"Give only one of {' and '.join(arguments)}. Received: both.")


def path_of(feature: "str | Sequence[str]") -> "PathSteps":
    """Return the path of a feature that is given by name or path."""
    return (feature,) if isinstance(feature, str) else tuple(feature)


def column_of(feature: "str | Sequence[str]") -> str:
    """Return the name of a feature at the top level.

    Raises:
        ValueError: If it is inside a struct.
    """
    path = path_of(feature)
    if len(path) != 1:
        raise ValueError(
            f"feature_allowlist takes top-level features: a struct includes everything inside it. "
            f"Received: {'.'.join(path)!r}"
        )
    return path[0]
