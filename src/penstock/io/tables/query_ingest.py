"""Reading the result of a SQL query as rows for ingestion."""

from __future__ import annotations

import os
import re
import tempfile
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import IO, Any

import pyarrow as pa

from penstock.installation import install_command
from penstock.io.examples.reader import BATCH_BYTES, DEFAULT_BATCH_SIZE
from penstock.io.files.filesystem import naming
from penstock.io.tables.example_columns import example_columns, value_type
from penstock.io.tables.plain_values import plain_value

# Rows that the database sends at once.
_FETCHED_ROWS = 1000
_VARIABLE = re.compile(r"\$\{(\w+)\}")
# What SQLAlchemy would take for a bind parameter.
_COLON = re.compile(r"(?<![:\w\\]):(?=\w)")
_RANKS = {pa.null(): 0, pa.int64(): 1, pa.float64(): 2, pa.large_binary(): 3}


class QueryError(ValueError):
    """A query failed, or its result does not fit; the message names the query and the database."""


def expand_database(database: str) -> str:
    """Return a database URL with `${NAME}` replaced by environment variables.

    Raises:
        QueryError: If a variable is not set.
    """

    def value(match: re.Match[str]) -> str:
        if match[1] not in os.environ:
            raise QueryError(
                f"The database URL names the environment variable {match[1]}, which is not set "
                f"where the component runs. Received: database={database!r}"
            )
        return os.environ[match[1]]

    return _VARIABLE.sub(value, database)


def read_query(
    database: str, query: str, *, batch_size: int = DEFAULT_BATCH_SIZE
) -> Iterator[pa.RecordBatch]:
    """Read a query's result as RecordBatches whose columns are lists of int64, float32 or bytes.

    Rows are streamed from the database to a temporary file, then read back with the types that fit
    all rows: integers and booleans are int64; floats and decimals, even mixed with integers, are
    float32; strings, bytes, dates, times (ISO 8601), UUIDs and JSON are bytes; arrays are lists.

    Args:
        database: A database URL for SQLAlchemy; `${NAME}` stands for an environment variable.
        query: A SQL query. Without ORDER BY, the database chooses the order of rows.
        batch_size: The most rows per batch; there are fewer if they are large.

    Raises:
        ImportError: If the database's driver is not installed.
        QueryError: If the database refuses the query, or a column holds values of different kinds.

    Example:
        >>> next(read_query("sqlite:///taxi.db", "SELECT fare, tips FROM trips")).num_rows
        10000
    """
    folder = tempfile.gettempdir()
    with naming(folder), tempfile.TemporaryFile(prefix="penstock-query-", dir=folder) as spool:
        kinds: dict[str, pa.DataType] = {}
        offsets = []
        for batch in _plain_batches(database, query, min(_FETCHED_ROWS, batch_size)):
            for field in batch.schema:
                known = kinds.get(field.name, pa.null())
                kinds[field.name] = _agreed(field.name, known, field.type, query)
            offsets.append(spool.tell())
            with pa.ipc.new_stream(spool, batch.schema) as stream:
                stream.write_batch(batch)
        types = {name: value_type(name, kind) for name, kind in kinds.items()}
        yield from _gathered(_spooled(spool, offsets, types), batch_size)


def _spooled(
    spool: IO[bytes], offsets: Sequence[int], types: Mapping[str, pa.DataType]
) -> Iterator[pa.RecordBatch]:
    for offset in offsets:
        spool.seek(offset)
        yield example_columns(pa.ipc.open_stream(spool).read_next_batch(), types)


def _gathered(batches: Iterable[pa.RecordBatch], batch_size: int) -> Iterator[pa.RecordBatch]:
    """Join batches up to `batch_size` rows, or fewer if they are large."""
    waiting: list[pa.RecordBatch] = []
    rows = size = 0
    for batch in batches:
        if rows + batch.num_rows > batch_size or size >= BATCH_BYTES:
            yield pa.concat_batches(waiting)
            waiting, rows, size = [], 0, 0
        waiting.append(batch)
        rows += batch.num_rows
        size += batch.nbytes
    if waiting:
        yield pa.concat_batches(waiting)


def _plain_batches(database: str, query: str, batch_size: int) -> Iterator[pa.RecordBatch]:
    import sqlalchemy
    from sqlalchemy.exc import SQLAlchemyError

    engine = _engine(database)
    shown = engine.url.render_as_string()
    what = f"Cannot connect to the database {shown}"
    try:
        with engine.connect() as connection:
            what = f"The database {shown} refused the query"
            streaming = connection.execution_options(stream_results=True, yield_per=batch_size)
            with streaming.execute(sqlalchemy.text(_COLON.sub(r"\\:", query))) as result:
                names = _column_names(result, query)
                for rows in result.partitions(batch_size):
                    yield _as_batch(names, rows, query)
    except SQLAlchemyError as error:
        cause = getattr(error, "orig", None) or error
        raise QueryError(f"{what}: {cause}\nQuery: {query}") from error
    finally:
        engine.dispose()


def _engine(database: str) -> Any:
    import sqlalchemy
    from sqlalchemy.exc import SQLAlchemyError

    url = None
    try:
        url = sqlalchemy.make_url(expand_database(database))
        url = url.set(drivername=_DRIVERS.get(url.drivername, url.drivername))
        return sqlalchemy.create_engine(url)
    except SQLAlchemyError as error:
        shown = database if url is None else url.render_as_string()
        raise QueryError(f"Cannot use the database {shown!r}: {error}") from error
    except ImportError as error:
        shown = database if url is None else url.render_as_string()
        raise ImportError(
            f"Reading from {shown!r} needs its driver: {error}. Install it, for example: "
            f"{install_command('postgres')} or {install_command('mysql')}."
        ) from error


# The drivers that Penstock's extras install, for URLs that name none.
_DRIVERS = {
    "postgresql": "postgresql+psycopg",
    "mysql": "mysql+pymysql",
    "mariadb": "mariadb+pymysql",
}


def _column_names(result: Any, query: str) -> list[str]:
    if not result.returns_rows:
        raise QueryError(f"The query returns no rows: {query}. Expected a SELECT.")
    names = list(result.keys())
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise QueryError(
            f"The query returns the columns {twice} more than once: {query}. Give each column its "
            f"own name (AS)."
        )
    return names


def _as_batch(names: Sequence[str], rows: Sequence[Any], query: str) -> pa.RecordBatch:
    columns = []
    for name, cells in zip(names, zip(*rows, strict=True), strict=True):
        plain = [plain_value(cell) for cell in cells]
        kind = _kind_of(name, plain, query)
        if pa.types.is_float64(kind):  # Arrow takes no integer beyond 2**53 among floats
            plain = [None if cell is None else float(cell) for cell in plain]
        columns.append(pa.array(plain, kind))
    return pa.RecordBatch.from_arrays(columns, list(names))


def _kind_of(name: str, cells: Sequence[Any], query: str) -> pa.DataType:
    """Return the Arrow type of a column of plain values."""
    if any(isinstance(cell, list) for cell in cells):
        values = [value for cell in cells if cell is not None for value in cell]
        return pa.large_list(_kind_of(name, values, query))
    kind = pa.null()
    for python_type in {type(cell) for cell in cells}:
        if python_type not in _PLAIN_TYPES:
            raise QueryError(
                f"Column {name!r} holds {python_type.__name__}, which does not fit into a "
                f"tf.Example. CAST it in the query: {query}"
            )
        kind = _agreed(name, kind, _PLAIN_TYPES[python_type], query)
    if pa.types.is_int64(kind) and not all(
        cell is None or -(2**63) <= cell < 2**63 for cell in cells
    ):
        raise QueryError(
            f"Column {name!r} holds an integer beyond 64 bits. CAST it in the query: {query}"
        )
    return kind


_PLAIN_TYPES = {
    type(None): pa.null(),
    int: pa.int64(),
    float: pa.float64(),
    bytes: pa.large_binary(),
}


def _agreed(name: str, known: pa.DataType, new: pa.DataType, query: str) -> pa.DataType:
    if pa.types.is_large_list(known) or pa.types.is_large_list(new):
        if pa.types.is_null(known) or pa.types.is_null(new):
            return new if pa.types.is_null(known) else known
        if pa.types.is_large_list(known) and pa.types.is_large_list(new):
            return pa.large_list(_agreed(name, known.value_type, new.value_type, query))
    elif not (_RANKS[known] == 3 and _RANKS[new] in (1, 2)) and not (
        _RANKS[new] == 3 and _RANKS[known] in (1, 2)
    ):
        return max(known, new, key=_RANKS.__getitem__)
    raise QueryError(
        f"Column {name!r} holds values of different kinds ({known} and {new}). CAST it in the "
        f"query: {query}"
    )


__all__ = ["QueryError", "expand_database", "read_query"]
