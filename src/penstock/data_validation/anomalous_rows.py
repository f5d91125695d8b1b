"""Finding the rows of a batch that have anomalies."""

import functools
from collections.abc import Callable, Iterator, Set
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import pyarrow as pa
from tensorflow_metadata.proto.v0 import anomalies_pb2, schema_pb2

from penstock.data_validation.anomalies.feature_check import holds_lists, is_required
from penstock.data_validation.anomalies.finding import AnomalyType
from penstock.data_validation.instance_validator import schema_of, validate_instance
from penstock.data_validation.path_steps import path_to_text
from penstock.data_validation.schema_features import all_features
from penstock.data_validation.statistics.generators.base import innermost_type
from penstock.data_validation.stats_options import StatsOptions
from penstock.io.arrow.arrays import to_numpy, valid_rows

AnomalousRow = tuple[pa.RecordBatch, list[str]]
_Lacking = dict[str, npt.NDArray[np.bool_]]
_MISSING = "SCHEMA_MISSING_COLUMN"


def row_finder(
    options: StatsOptions, null_is_absent: bool
) -> Callable[[pa.RecordBatch], Iterator[AnomalousRow]]:
    """Return a function that yields the anomalous rows of a batch, each with its reasons.

    A batch is checked as a whole first. Where something is wrong it is halved, and of the halves only
    those features are looked at that had an anomaly. Which rows lack a required value is seen without
    checks.

    Args:
        options: Must have a schema.
        null_is_absent: Whether a column that is null in a row does not belong to the row at all.

    Example:
        >>> find = row_finder(StatsOptions(schema=schema), null_is_absent=False)
        >>> [reasons for _, reasons in find(batch)]
        [['age_INT_TYPE_SMALL_INT']]
    """
    schema = schema_of(options)
    features = list(all_features(schema))
    required = {
        path[0]
        for path, feature in features
        if len(path) == 1 and is_required(feature, schema, None)
    }
    everywhere = {
        path[0]
        for path, feature in features
        if path[0] in required and feature.presence.min_fraction >= 1 and not holds_lists(feature)
    }
    fractions = any(_limits_fractions(feature) for _, feature in features)
    separable = _separable(options) and all(len(path) == 1 for path, _ in features)

    @functools.cache
    def options_for(rows: int, only: frozenset[str] | None) -> StatsOptions:
        changed = {
            "num_rank_histogram_buckets": max(options.num_rank_histogram_buckets, rows),
            # A schema does not look into histograms, which cost most of the time.
            "num_histogram_buckets": 1,
            "num_quantiles_histogram_buckets": 1,
            "num_values_histogram_buckets": 2,
            "sample_rate": None,
            "schema": schema if only is None else _schema_with(schema, only),
        }
        return options.replaced(**changed)

    def check(batch: pa.RecordBatch, only: frozenset[str] | None) -> anomalies_pb2.Anomalies:
        if only is not None:
            batch = batch.select([name for name in batch.schema.names if name in only])
        return validate_instance(batch, options_for(batch.num_rows, only))

    def look(
        batch: pa.RecordBatch, start: int, only: frozenset[str] | None, lacking: _Lacking
    ) -> Iterator[tuple[int, list[_Reason]]]:
        """Yield the places of anomalous rows, and what is wrong but for required values that lack."""
        if not batch.num_rows:
            return
        if batch.num_rows == 1:
            row = _with_values_only(batch, everywhere) if null_is_absent else batch
            reasons = _reasons(check(row, only))
            yield start, [r for r in reasons if not _is_lacking(lacking, r.feature, start, 1)]
            return
        alone = separable and not any(map(_holds_structs, batch.schema.types))
        if not fractions and (alone or not lacking):
            found = {r.feature for r in _reasons(check(batch, only))}
            found = {n for n in found if not _is_lacking(lacking, n, start, batch.num_rows)}
            if not found:
                return
            if alone:
                only = frozenset(found)
        middle = batch.num_rows // 2
        yield from look(batch.slice(0, middle), start, only, lacking)
        yield from look(batch.slice(middle), start + middle, only, lacking)

    def find(batch: pa.RecordBatch) -> Iterator[AnomalousRow]:
        lacking = _lacking_values(batch, required, everywhere) if null_is_absent else {}
        wrong = {place: reasons for place, reasons in look(batch, 0, None, lacking) if reasons}
        places = {*wrong, *(int(p) for rows in lacking.values() for p in np.flatnonzero(rows))}
        for place in sorted(places):
            row = batch.slice(place, 1)
            missing = [_Reason(n, _MISSING) for n, rows in lacking.items() if rows[place]]
            # Stable: a feature's reasons keep their order.
            reasons = sorted(
                [*missing, *wrong.get(place, ())], key=lambda r: path_to_text((r.feature,))
            )
            yield (
                _with_values_only(row, everywhere) if null_is_absent else row,
                [reason.text for reason in reasons],
            )

    return find


class _Reason(NamedTuple):
    """Why a row is anomalous: the feature at the top level, and the text."""

    feature: str
    kind: str
    path: str = ""

    @property
    def text(self) -> str:
        return f"{self.path or path_to_text((self.feature,))}_{self.kind}"


def _lacking_values(batch: pa.RecordBatch, required: Set[str], everywhere: Set[str]) -> _Lacking:
    """Return for each required feature that some row lacks which rows do."""
    found = {}
    for name in sorted(required):
        index = batch.schema.get_field_index(name)
        if index < 0:
            found[name] = np.ones(batch.num_rows, bool)
            continue
        rows = ~valid_rows(batch.column(index))
        if name in everywhere and _is_list(batch.column(index).type):
            rows |= to_numpy(batch.column(index).value_lengths().fill_null(0)) == 0
        if rows.any():
            found[name] = rows
    return found


def _is_lacking(lacking: _Lacking, name: str, start: int, size: int) -> bool:
    """Whether all of some rows lack a value of a feature."""
    return name in lacking and bool(lacking[name][start : start + size].all())


def _separable(options: StatsOptions) -> bool:
    """Whether the statistics and anomalies of a feature depend on no other one."""
    schema = schema_of(options)
    others = (
        options.weight_feature,
        options.per_feature_weight_override,
        options.label_feature,
        options.generators,
        schema.sparse_feature,
        schema.weighted_feature,
    )
    return not any(others)


def _schema_with(schema: schema_pb2.Schema, names: Set[str]) -> schema_pb2.Schema:
    """Return a schema of these features alone."""
    smaller = schema_pb2.Schema()
    smaller.CopyFrom(schema)
    del smaller.feature[:]
    smaller.feature.extend(feature for feature in schema.feature if feature.name in names)
    return smaller


def _holds_structs(kind: pa.DataType) -> bool:
    return bool(pa.types.is_struct(innermost_type(kind)))


def _limits_fractions(feature: schema_pb2.Feature) -> bool:
    return (
        feature.HasField("distribution_constraints")
        or feature.HasField("unique_constraints")
        or feature.WhichOneof("domain_info") in ("image_domain", "natural_language_domain")
    )


def _with_values_only(row: pa.RecordBatch, everywhere: Set[str]) -> pa.RecordBatch:
    """Leaves out the columns that are null in a row, or empty although every row must have a value."""
    present = [
        name
        for name, column in zip(row.schema.names, row.columns, strict=True)
        if not _lacks_values(column, name in everywhere)
    ]
    return row if len(present) == row.num_columns else row.select(present)


def _lacks_values(column: pa.Array, needs_value: bool) -> bool:
    """Whether a row of a column is null, or empty where every row must have a value."""
    if column.null_count:
        return True
    if not needs_value or not _is_list(column.type):
        return False
    return bool((to_numpy(column.value_lengths()) == 0).any())


def _is_list(kind: pa.DataType) -> bool:
    return bool(pa.types.is_list(kind) or pa.types.is_large_list(kind))


def _reasons(found: anomalies_pb2.Anomalies) -> list[_Reason]:
    return [
        _Reason(info.path.step[0], AnomalyType.Type.Name(reason.type), name)
        for name, info in sorted(found.anomaly_info.items())
        for reason in info.reason
    ]
