"""QueryExampleGen: results of SQL queries into Examples, and the base for other databases."""

from __future__ import annotations

import functools
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, ClassVar

from penstock.artifacts import Artifact
from penstock.components.example_gen import ExampleGen
from penstock.dsl import ExecutionContext
from penstock.io.ingestion.config import Input as InputConfig
from penstock.io.ingestion.config import Output as OutputConfig
from penstock.io.ingestion.config import Split

if TYPE_CHECKING:
    from penstock.beam import BeamSource
    from penstock.io.ingestion.write_examples import Rows

_DAY_SECONDS = 86_400
# A database does not say how large a result is; who names a runner expects much.
_ASSUMED_BYTES = 256 << 20
_PASSWORD = re.compile(
    r"://[^/@:]*:(?!\$\{\w+\}@)[^/@]+@|[?&](?:password|pwd)=(?!\$\{\w+\}(?:&|$))[^&]", re.IGNORECASE
)
_SPAN_WORDS = ("@span_begin_timestamp", "@span_end_timestamp", "@span_yyyymmdd_utc")


class QueryBasedExampleGen(ExampleGen):
    """Writes the results of queries as `Examples`; the base of ExampleGens for other databases.

    A subclass defines `query_rows`. With a `range_config` of one span (a day, counted from
    1970-01-01) a query may hold `@span_begin_timestamp` and `@span_end_timestamp` (seconds) and
    `@span_yyyymmdd_utc` (a quoted string), as in TFX.

    A database does not say whether its rows have changed, so by default the query runs in every
    run; if the rows are the same as before, downstream nodes are still cached.

    Args:
        query: The query; or `input_config`.
        input_config: One query per split, as the split's `pattern`.
        output_config: The output splits; by default two thirds train and one third eval, or the
            input's splits if it has several.
        range_config: The span to query: a static range of one.
        output_file_format: "tfrecords_gzip" or "parquet".
        num_shards: How many shards a split gets; by default as many as its size requires.
        cache_query: Whether the rows of an earlier run may be reused for an equal query.

    Outputs:
        examples: `Split-<name>/` folders, and `row_counts.json` beside them.
    """

    query: str | None = None
    cache_query: bool = False

    def check(self) -> None:
        """Check that there is one source of queries, and that queries with a span have a range."""
        if (self.query is None) == (self.input_config is None):
            raise ValueError(
                f"{type(self).__name__} takes either query or input_config. Received: "
                f"query={self.query!r}, input_config={self.input_config!r}"
            )
        super().check()
        if self.range_config is not None:
            self._span()
            return
        for split in self._configs()[0].splits:
            words = [word for word in _SPAN_WORDS if word in split.pattern]
            if words:
                raise ValueError(
                    f"The query of split {split.name!r} contains {words[0]}, but there is no "
                    f"range_config. Add RangeConfig(static_range=StaticRange(span, span))."
                )

    def _configs(self) -> tuple[InputConfig, OutputConfig]:
        inputs = self.input_config
        if inputs is None:
            inputs = InputConfig([Split("single_split", str(self.query))])
        return inputs, self.output_config or OutputConfig.default_for(inputs)

    def _span(self) -> int:
        if self.range_config is None:
            return 0
        span = self.range_config.static_range
        if span is None or span.start_span_number != span.end_span_number:
            raise ValueError(
                f"A query takes one span, by a static_range of one. Received: {self.range_config}"
            )
        return span.start_span_number

    def is_current(
        self, outputs: Mapping[str, Sequence[Artifact]], resolve: Callable[[str], str]
    ) -> bool:
        """Return whether the result of an equal query may be reused."""
        return self.cache_query

    def query_rows(self, query: str, context: ExecutionContext) -> Iterable[Rows]:
        """Run a query.

        Args:
            query: The query, with the span filled in.
            context: The execution.
        """
        raise NotImplementedError(
            f"{type(self).__name__} does not define query_rows(self, query, context)"
        )

    def beam_source(
        self, queries: Mapping[str, str], context: ExecutionContext
    ) -> BeamSource | None:
        """Return how Beam's workers read the results; None if they are read where the node runs.

        Args:
            queries: The query of each input split, with the span filled in.
            context: The execution.
        """
        return None

    def run(self, context: ExecutionContext) -> None:
        """Run the queries and write the splits."""
        from penstock.engines import RowSource

        span = self._span()
        queries = {
            split.name: query_for_span(split.pattern, span) for split in self._configs()[0].splits
        }
        source = RowSource(
            list(queries),
            lambda _: {name: self.query_rows(query, context) for name, query in queries.items()},
            lambda: self.beam_source(queries, context),
        )
        self._write(context, source)
        self.examples.custom_properties["span"] = span


class QueryExampleGen(QueryBasedExampleGen):
    """Reads the result of SQL queries into `Examples`, from any database that SQLAlchemy knows.

    Integers and booleans become int64 features, other numbers float, everything else bytes; NULL
    becomes a feature without a kind. Without ORDER BY, the database chooses the order of rows.

    Args:
        database: A database URL such as "postgresql+psycopg://me:${DB_PASSWORD}@host/shop"; `${NAME}`
            stands for an environment variable where the component runs, so that no password is
            recorded. A relative SQLite file is looked for in the project.

    Further arguments are those of `QueryBasedExampleGen`.

    Example:
        QueryExampleGen(database="sqlite:///data/taxi.db", query="SELECT * FROM trips ORDER BY id")
    """

    LIBRARIES: ClassVar = ("pyarrow", "tfx-bsl", "SQLAlchemy")

    database: str

    def check(self) -> None:
        """Check the queries, and that the URL holds no password."""
        super().check()
        if _PASSWORD.search(self.database):
            raise ValueError(
                "database holds a password, which would be recorded with every run. Write ${NAME} "
                "in its place and set the environment variable NAME where the component runs. "
                f"Received: database='{self.database.partition('://')[0]}://...'"
            )

    def query_rows(self, query: str, context: ExecutionContext) -> Iterable[Rows]:
        """Run a query and stream its rows."""
        from penstock.io.ingestion.write_examples import Rows
        from penstock.io.tables.query_ingest import read_query

        return Rows.of_batches(read_query(self._url(context), query), missing="kindless")

    def beam_source(self, queries: Mapping[str, str], context: ExecutionContext) -> BeamSource:
        """Return a source that runs each query on a worker, with the worker's environment variables."""
        from penstock.beam import BeamSource, QueryInput
        from penstock.io.tables.query_ingest import read_query

        reader = QueryInput(functools.partial(read_query, self._url(context)))
        parts = {split: [query] for split, query in queries.items()}
        return BeamSource(parts, reader, _ASSUMED_BYTES * len(parts))

    def _url(self, context: ExecutionContext) -> str:
        scheme, slashes, file = self.database.partition(":///")
        if not scheme.startswith("sqlite") or not file or file.startswith((":memory:", "file:")):
            return self.database
        return f"{scheme}{slashes}{context.resolve_path(file)}"


def query_for_span(query: str, span: int) -> str:
    """Fill a span into a query.

    Args:
        query: May hold `@span_begin_timestamp`, `@span_end_timestamp` and `@span_yyyymmdd_utc`.
        span: Days since 1970-01-01.

    Example:
        >>> query_for_span("SELECT * FROM t WHERE day = @span_yyyymmdd_utc", 1)
        "SELECT * FROM t WHERE day = '19700102'"
    """
    day = datetime(1970, 1, 1, tzinfo=UTC) + timedelta(days=span)
    values = (span * _DAY_SECONDS, (span + 1) * _DAY_SECONDS, f"'{day:%Y%m%d}'")
    for word, value in zip(_SPAN_WORDS, values, strict=True):
        query = query.replace(word, str(value))
    return query
