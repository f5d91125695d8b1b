"""The slices of the data that get their own statistics, as mappings or as tfx-bsl's SlicingConfig."""

import json
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, TypeAlias

if TYPE_CHECKING:
    from tfx_bsl.public.proto.slicing_spec_pb2 import SlicingConfig

Slice: TypeAlias = Mapping[str, Sequence[str | int] | None]


def slices_of(
    config: "SlicingConfig | str | Sequence[Slice] | None",
) -> list[dict[str, Sequence[str | int] | None]]:
    """Return a mapping from features to values (None for all) for each slicing.

    Args:
        config: Such mappings, or a SlicingConfig as a message or as JSON. Of its specs, one without
            features means all rows, which always have statistics.

    Raises:
        TypeError: If it is something else.
        ValueError: If a spec is an SQL query.

    Example:
        >>> slices_of('{"slicingSpecs": [{"featureKeys": ["country"]}]}')
        [{'country': None}]
    """
    if config is None:
        return []
    if isinstance(config, str):
        return _slices_of_specs(json.loads(config))
    from google.protobuf.message import Message

    if isinstance(config, Message):
        from google.protobuf.json_format import MessageToDict

        return _slices_of_specs(MessageToDict(config))
    if not isinstance(config, (list, tuple)) or not all(isinstance(s, Mapping) for s in config):
        raise TypeError(
            f"slicing_config must be a SlicingConfig or a list of mappings from features to values. "
            f"Received: slicing_config={config!r}"
        )
    return [dict(each) for each in config]


def _slices_of_specs(config: Mapping[str, Any]) -> list[dict[str, Sequence[str | int] | None]]:
    slices: list[dict[str, Sequence[str | int] | None]] = []
    for spec in config.get("slicingSpecs", ()):
        if "sliceKeysSql" in spec:
            raise ValueError(
                "Slices by SQL need ZetaSQL, which TFDV 1.21 also lacks. Give feature_keys, "
                "feature_values or a slice function. Received: "
                f"slice_keys_sql={spec['sliceKeysSql']!r}"
            )
        features: dict[str, Sequence[str | int] | None] = dict.fromkeys(spec.get("featureKeys", ()))
        features |= {name: [value] for name, value in spec.get("featureValues", {}).items()}
        if features:
            slices.append(features)
    return slices
