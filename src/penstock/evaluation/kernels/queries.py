"""The rows of queries: what ranking metrics are computed from."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from penstock.evaluation.inputs import MetricInputs
from penstock.evaluation.kernels.sums import FloatArray, Kernel, View
from penstock.evaluation.slices.slicing import Membership

IntArray = npt.NDArray[np.int64]
_SPAN = 1 << 32


@dataclass(frozen=True)
class QueryRows:
    """The documents of some queries, query by query, each in the order in which they came.

    Args:
        starts: Where each query begins, `[queries]`.
        labels: `[rows]`, or `[rows, values]`.
        scores: The predictions, `[rows]`.
        weights: Of each query, `[queries]`.
        features: `[rows]` by name.
        weighted: Whether weights apply.
    """

    starts: IntArray
    labels: npt.NDArray[Any]
    scores: FloatArray
    weights: FloatArray
    features: dict[str, FloatArray]
    weighted: bool

    @property
    def sizes(self) -> IntArray:
        """The number of documents of each query."""
        return np.diff(np.append(self.starts, len(self.scores)))

    @property
    def ranks(self) -> IntArray:
        """Each place's rank in its query, from 1."""
        return np.arange(len(self.scores)) - np.repeat(self.starts, self.sizes) + 1

    def order_by(self, values: FloatArray) -> IntArray:
        """Return the documents in descending order of `values` within each query.

        Of equal ones the later comes first. (TFMA turns an ascending order round, too, but gets the
        documents in whatever order Beam has them.)
        """
        queries = np.repeat(np.arange(len(self.starts)), self.sizes)
        return np.lexsort((-np.arange(len(values)), -values, queries))

    def sums(self, values: FloatArray) -> FloatArray:
        """Return the sum over each query's documents, `[queries]`."""
        return np.add.reduceat(values, self.starts) if len(self.starts) else np.zeros(0)


class Queries(Kernel):
    """All rows, by query, and the queries of each group. Params: names of features to keep.

    A query counts in each slice that one of its rows is in, with all of its rows, as in TFMA. Since a
    query's rows may come in any order, this keeps some numbers of every row.
    """

    def __init__(self, params: Hashable, view: View) -> None:
        super().__init__(params, view)
        self._codes: dict[Any, int] = {}
        self._rows: list[tuple[npt.NDArray[Any], ...]] = []
        self._members: list[IntArray] = []
        self._sorted: tuple[IntArray, IntArray, QueryRows] | None = None

    def add(self, inputs: MetricInputs, membership: Membership) -> None:
        """Add a batch."""
        source = inputs.source
        assert source is not None
        names = query_names(inputs, self.view.query_key)
        if inputs.predictions.shape[1] != 1:
            raise ValueError(
                "A ranking metric needs one score a row. Received: predictions of shape "
                f"{list(inputs.predictions.shape)}"
            )
        features = [
            _one_value(name, source.feature(name), "feature").astype(np.float64)
            for name in self.params
        ]
        unique, inverse = np.unique(names, return_inverse=True)
        codes = self._codes_of(unique.tolist())[inverse]
        scores = inputs.predictions[:, 0].astype(np.float64)
        weights = inputs.row_weights(self.view.weighted).astype(np.float64)
        self._rows.append((codes, inputs.labels, scores, weights, *features))
        self._members.append(np.unique(membership.groups * _SPAN + codes[membership.rows]))
        self._sorted = None

    def merge(self, other: Queries, groups: Sequence[int]) -> None:
        """Add another kernel's rows."""
        codes = self._codes_of(list(other._codes))
        self._rows += [(codes[found], *rest) for found, *rest in other._rows]
        for members in other._members:
            group, code = np.divmod(members, _SPAN)
            self._members.append(np.asarray(groups, dtype=np.int64)[group] * _SPAN + codes[code])
        self._sorted = None

    def state(self, group: int) -> QueryRows:
        """Return the rows of one group's queries."""
        if self._sorted is None:
            self._sorted = self._sort()
        members, starts, rows = self._sorted
        first, last = np.searchsorted(members, [group * _SPAN, (group + 1) * _SPAN])
        queries = members[first:last] - group * _SPAN
        sizes = np.diff(np.append(starts, len(rows.scores)))[queries]
        ends = np.cumsum(sizes)
        places = np.arange(sizes.sum()) + np.repeat(starts[queries] - (ends - sizes), sizes)
        return QueryRows(
            ends - sizes,
            rows.labels[places],
            rows.scores[places],
            rows.weights[queries],
            {name: values[places] for name, values in rows.features.items()},
            self.view.weighted,
        )

    def _codes_of(self, names: list[Any]) -> IntArray:
        codes = [self._codes.setdefault(name, len(self._codes)) for name in names]
        return np.array(codes, dtype=np.int64)

    def _sort(self) -> tuple[IntArray, IntArray, QueryRows]:
        if not self._rows:
            nothing = np.zeros(0)
            empty: dict[str, FloatArray] = dict.fromkeys(self.params, nothing)
            no_rows = QueryRows(np.zeros(0, np.int64), nothing, nothing, nothing, empty, False)
            return np.zeros(0, np.int64), np.zeros(0, np.int64), no_rows
        columns = [np.concatenate(parts) for parts in zip(*self._rows, strict=True)]
        order = np.argsort(columns[0], kind="stable")
        codes, labels, scores, weights, *features = (column[order] for column in columns)
        starts = np.searchsorted(codes, np.arange(len(self._codes)))
        same = np.isclose(weights, np.repeat(weights[starts], np.diff([*starts, len(codes)])))
        if not same.all():
            code = int(codes[np.argmin(same)])
            name = list(self._codes)[code]
            raise ValueError(
                f"The rows of a query must have one weight. Received: several for {self.view.query_key!r} "
                f"= {name!r}"
            )
        found = dict(zip(self.params, features, strict=True))
        rows = QueryRows(starts, labels, scores, weights[starts], found, False)
        return np.unique(np.concatenate(self._members)), starts, rows


class RowsOfQueries(Kernel):
    """What a kernel of rows holds of all rows of the queries of a group. Params: the kernel and its params.

    A query counts in each slice that one of its rows is in, with all of its rows, as in TFMA. Since a
    query's rows may come in any order, this keeps labels, predictions and weights of every row.
    """

    def __init__(self, params: Hashable, view: View) -> None:
        super().__init__(params, view)
        self._codes: dict[Any, int] = {}
        self._rows: list[tuple[npt.NDArray[Any], ...]] = []
        self._members: list[IntArray] = []

    def add(self, inputs: MetricInputs, membership: Membership) -> None:
        """Add a batch."""
        unique, inverse = np.unique(query_names(inputs, self.view.query_key), return_inverse=True)
        codes = self._codes_of(unique.tolist())[inverse]
        weights = inputs.row_weights(self.view.weighted).astype(np.float64)
        self._rows.append((codes, inputs.labels, inputs.predictions, weights))
        self._members.append(np.unique(membership.groups * _SPAN + codes[membership.rows]))

    def merge(self, other: RowsOfQueries, groups: Sequence[int]) -> None:
        """Add another kernel's rows."""
        codes = self._codes_of(list(other._codes))
        self._rows += [(codes[found], *rest) for found, *rest in other._rows]
        for members in other._members:
            group, code = np.divmod(members, _SPAN)
            self._members.append(np.asarray(groups, dtype=np.int64)[group] * _SPAN + codes[code])

    def state(self, group: int) -> Any:
        """Return the state of the kernel that saw the rows of one group's queries."""
        kernel_class, params = self.params
        kernel = kernel_class(params, replace(self.view, query_key=""))
        if self._rows:
            columns = [np.concatenate(parts) for parts in zip(*self._rows, strict=True)]
            self._rows = [tuple(columns)]
            members = np.unique(np.concatenate(self._members))
            self._members = [members]
            first, last = np.searchsorted(members, [group * _SPAN, (group + 1) * _SPAN])
            inside = np.zeros(len(self._codes), dtype=bool)
            inside[members[first:last] - group * _SPAN] = True
            codes, labels, predictions, weights = columns
            rows = np.flatnonzero(inside[codes])
            if len(rows):
                seen = MetricInputs(labels[rows], predictions[rows], weights[rows])
                every = np.arange(len(rows))
                kernel.add(seen, Membership(every, np.zeros(len(rows), dtype=np.int64), 1))
        return kernel.state(0)

    def _codes_of(self, names: list[Any]) -> IntArray:
        codes = [self._codes.setdefault(name, len(self._codes)) for name in names]
        return np.array(codes, dtype=np.int64)


def query_names(inputs: MetricInputs, query_key: str) -> npt.NDArray[Any]:
    """Return which query each row belongs to, `[rows]`."""
    assert inputs.source is not None
    return _one_value(query_key, inputs.source.feature(query_key), "query")


def _one_value(name: str, lists: npt.NDArray[Any], what: str) -> npt.NDArray[Any]:
    """Return a feature's one value a row."""
    lengths = np.fromiter((len(each) for each in lists), np.int64, len(lists))
    if (lengths != 1).any():
        wrong = int(lengths[np.argmax(lengths != 1)])
        raise ValueError(
            f"A ranking metric needs one value of the {what} {name!r} in each row. Received: a row with "
            f"{wrong}"
        )
    return np.concatenate(lists) if len(lists) else np.zeros(0)
