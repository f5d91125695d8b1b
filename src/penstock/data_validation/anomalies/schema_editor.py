"""A schema that is looked up by path, extended by new features, and fixed by checks."""

from collections.abc import Iterable
from typing import Any

from tensorflow_metadata.proto.v0 import schema_pb2, statistics_pb2

from penstock.data_validation.anomalies.checked_statistics import CheckedDataset, CheckedFeature
from penstock.data_validation.anomalies.composite_features import (
    check_sparse_feature,
    check_weighted_feature,
)
from penstock.data_validation.anomalies.feature_check import (
    FeatureCheck,
    check_feature,
    is_required,
)
from penstock.data_validation.anomalies.finding import AnomalyType, Finding
from penstock.data_validation.anomalies.numeric_domains import is_int_domain_candidate
from penstock.data_validation.anomalies.presence_checks import infer_presence
from penstock.data_validation.anomalies.self_consistency import deprecate, is_deprecated
from penstock.data_validation.anomalies.semantic_domains import adopt_suggested_domain
from penstock.data_validation.anomalies.string_domains import (
    add_missing_values,
    infer_bool_domain,
    is_bool_domain_candidate,
    is_string_domain_candidate,
)
from penstock.data_validation.path_steps import PathSteps
from penstock.data_validation.schema_features import all_features

NEW_COLUMN = Finding(
    AnomalyType.SCHEMA_NEW_COLUMN,
    "New column",
    "New column (column in data but not in schema)",
)


class SchemaEditor:
    """Indexes a schema by path and changes it in place.

    Args:
        schema: The schema; it is changed by `add` and, with `keep_fixes`, by `check`.
        max_string_domain_size: A new string feature with at most as many distinct values gets a
            string domain.
        infer_feature_shape: Whether new features get a fixed shape.
    """

    def __init__(
        self,
        schema: schema_pb2.Schema,
        max_string_domain_size: int,
        infer_feature_shape: bool = True,
    ) -> None:
        self.schema = schema
        self._max_string_domain_size = max_string_domain_size
        self._infer_feature_shape = infer_feature_shape
        self._features: dict[PathSteps, schema_pb2.Feature] = {}
        self._sparse: dict[PathSteps, schema_pb2.SparseFeature] = {}
        self._weighted: dict[PathSteps, schema_pb2.WeightedFeature] = {
            (feature.name,): feature for feature in schema.weighted_feature
        }
        self._domains = _by_name(schema.string_domain)
        self._index((), schema)

    def _index(self, prefix: PathSteps, container: Any) -> None:
        for sparse in container.sparse_feature:
            self._sparse.setdefault((*prefix, sparse.name), sparse)
        for feature in container.feature:
            path = (*prefix, feature.name)
            self._features.setdefault(path, feature)
            if feature.HasField("struct_domain"):
                self._index(path, feature.struct_domain)

    def _index_again(self, path: PathSteps, feature: schema_pb2.Feature) -> None:
        """Points at the new messages inside of a feature that was copied into."""
        if not feature.HasField("struct_domain"):
            return
        owners: tuple[dict[PathSteps, Any], ...] = (self._features, self._sparse)
        for owner in owners:
            inside = [key for key in owner if len(key) > len(path) and key[: len(path)] == path]
            for key in inside:
                del owner[key]
        self._index(path, feature.struct_domain)

    def has(self, path: PathSteps) -> bool:
        """Whether the schema has a feature of any kind at a path."""
        return path in self._features or path in self._sparse or path in self._weighted

    def is_deprecated(self, path: PathSteps) -> bool:
        """Whether the feature at a path is not checked."""
        owners: tuple[dict[PathSteps, Any], ...] = (self._features, self._sparse, self._weighted)
        feature = next((owner[path] for owner in owners if path in owner), None)
        return feature is not None and is_deprecated(feature)

    def deprecate(self, path: PathSteps) -> None:
        """Mark the feature at a path as one that is no longer checked."""
        deprecate(self._features[path])

    def missing_paths(self, dataset: CheckedDataset) -> list[PathSteps]:
        """Return the required features that the statistics do not mention."""
        hidden = {path for path, feature in self._features.items() if is_deprecated(feature)}
        return [
            path
            for path, feature in self._features.items()
            if dataset.get(path) is None
            and is_required(feature, self.schema, dataset.environment)
            and not any(path[:size] in hidden for size in range(1, len(path)))
        ]

    def check(self, view: CheckedFeature, *, keep_fixes: bool) -> FeatureCheck:
        """Check the feature at the view's path, which the schema must have.

        Args:
            view: The statistics.
            keep_fixes: Whether the schema is changed to accept the data.
        """
        path = view.path
        parts = [
            owner[path] for owner in (self._features, self._sparse, self._weighted) if path in owner
        ]
        shared = self._shared_domain(path)
        originals = [*parts, *([shared] if shared is not None else [])]
        copies = [_copy(proto) for proto in originals]
        result = self._check_copies(path, view, copies[: len(parts)], copies[len(parts) :])
        if keep_fixes:
            for original, fixed in zip(originals, copies, strict=True):
                original.CopyFrom(fixed)
                if isinstance(original, schema_pb2.Feature):
                    self._index_again(path, original)
            if result.drop_shared_domain and shared is not None:
                self._drop_domain(shared.name)
        return result._replace(deprecated=is_deprecated(copies[0]))

    def _shared_domain(self, path: PathSteps) -> schema_pb2.StringDomain | None:
        feature = self._features.get(path)
        if feature is None or feature.WhichOneof("domain_info") != "domain":
            return None
        return self._domains.get(feature.domain)

    def _check_copies(
        self, path: PathSteps, view: CheckedFeature, parts: list[Any], shared: list[Any]
    ) -> FeatureCheck:
        weighted = next((p for p in parts if isinstance(p, schema_pb2.WeightedFeature)), None)
        sparse = next((p for p in parts if isinstance(p, schema_pb2.SparseFeature)), None)
        if weighted is not None:
            if len(parts) > 1 and not is_deprecated(weighted):
                return _collision(parts, AnomalyType.WEIGHTED_FEATURE_NAME_COLLISION, "Weighted")
            return FeatureCheck(check_weighted_feature(weighted, view))
        if sparse is not None and not is_deprecated(sparse):
            if len(parts) > 1 and not is_deprecated(parts[0]):
                return _collision(parts, AnomalyType.SPARSE_FEATURE_NAME_COLLISION, "Sparse")
            return FeatureCheck(check_sparse_feature(sparse, view))
        if path not in self._features:
            return FeatureCheck([])
        return check_feature(parts[0], shared[0] if shared else None, self.schema, view)

    def _drop_domain(self, name: str) -> None:
        for _, feature in all_features(self.schema):
            if feature.WhichOneof("domain_info") == "domain" and feature.domain == name:
                feature.ClearField("domain")
        kept = [_copy(domain) for domain in self.schema.string_domain if domain.name != name]
        del self.schema.string_domain[:]
        self.schema.string_domain.extend(kept)
        self._domains = _by_name(self.schema.string_domain)

    def add(self, view: CheckedFeature) -> None:
        """Add a feature that the schema lacks, with all features inside of it."""
        path = view.path
        owner: Any = self.schema if len(path) == 1 else self._features[path[:-1]].struct_domain
        feature = owner.feature.add(name=path[-1], type=view.schema_type)
        self._features[path] = feature
        infer_presence(feature, view, self._infer_feature_shape)
        if view.proto.HasField("validation_derived_source"):
            feature.lifecycle_stage = schema_pb2.VALIDATION_DERIVED
            feature.validation_derived_source.CopyFrom(view.proto.validation_derived_source)
        self._infer_domain(feature, view)
        for child in view.children:
            self.add(child)

    def _infer_domain(self, feature: schema_pb2.Feature, view: CheckedFeature) -> None:
        is_bytes = view.stats_type == statistics_pb2.FeatureNameStatistics.BYTES
        if adopt_suggested_domain(feature, view) or view.has_invalid_utf8 or is_bytes:
            return
        if is_bool_domain_candidate(view):
            infer_bool_domain(feature, view)
        elif is_int_domain_candidate(view):
            feature.int_domain.SetInParent()
        elif is_string_domain_candidate(view, self._max_string_domain_size):
            domain = self.schema.string_domain.add(name=self._unused_domain_name(view.name))
            self._domains[domain.name] = domain
            add_missing_values(domain, view)
            feature.domain = domain.name

    def _unused_domain_name(self, wanted: str) -> str:
        name, number = wanted, 1
        while name in self._domains:
            number += 1
            name = f"{wanted}{number}"
        return name


def _by_name(domains: Iterable[schema_pb2.StringDomain]) -> dict[str, schema_pb2.StringDomain]:
    """Indexes string domains; of several of one name the first counts."""
    found: dict[str, schema_pb2.StringDomain] = {}
    for domain in domains:
        found.setdefault(domain.name, domain)
    return found


def _copy(proto: Any) -> Any:
    copy = type(proto)()
    copy.CopyFrom(proto)
    return copy


def _collision(parts: list[Any], kind: int, what: str) -> FeatureCheck:
    for part in parts:
        deprecate(part)
    short = f"{what} feature name collision"
    return FeatureCheck([Finding(kind, short, f"{short}.")])
