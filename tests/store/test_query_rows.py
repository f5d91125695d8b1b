"""QueryExampleGen's rows from real databases."""

from __future__ import annotations

import subprocess
import sys

import pytest
import sqlalchemy

from penstock.components import QueryExampleGen
from penstock.io import read_query, read_record_batches, read_row_counts, split_files
from penstock.io.tables.query_ingest import QueryError
from penstock.testing import run_component

MANY = 300_000


def rows(url, query, **options):
    return [row for batch in read_query(url, query, **options) for row in batch.to_pylist()]


@pytest.fixture
def execute(url):
    drivers = {"postgresql": "postgresql+psycopg", "mysql": "mysql+pymysql"}
    made = sqlalchemy.make_url(url)
    engine = sqlalchemy.create_engine(
        made.set(drivername=drivers.get(made.drivername, made.drivername))
    )

    def run(*statements):
        with engine.begin() as connection:
            for statement in statements:
                connection.exec_driver_sql(statement)

    yield run
    engine.dispose()


def test_numbers_texts_and_nulls(url, execute):
    execute(
        "CREATE TABLE t (i BIGINT, f DOUBLE PRECISION, s VARCHAR(20))",
        "INSERT INTO t VALUES (9223372036854775807, 0.5, 'José'), (NULL, NULL, NULL)",
        "INSERT INTO t VALUES (-1, -2.5e30, '')",
    )
    assert rows(url, "SELECT * FROM t WHERE s <> ':x%' AND i > 0") == [
        {"i": [2**63 - 1], "f": [0.5], "s": ["José".encode()]}
    ]
    found = {str(row["i"]): row for row in rows(url, "SELECT * FROM t")}
    assert found["[-1]"] == {"i": [-1], "f": [pytest.approx(-2.5e30)], "s": [b""]}
    assert found["None"] == {"i": None, "f": None, "s": None}


def test_a_number_beyond_the_floats_of_examples_is_refused(url, execute):
    execute("CREATE TABLE huge (f DOUBLE PRECISION)", "INSERT INTO huge VALUES (1e300)")
    with pytest.raises(ValueError, match=r"column 'f' has a value that does not fit: 1e\+300"):
        rows(url, "SELECT * FROM huge")


COLUMNS = {
    "postgresql": [
        ("BOOLEAN", "true", [1]),
        ("NUMERIC(20, 4)", "1.5", [1.5]),
        ("BYTEA", "'\\xff00'", [b"\xff\0"]),
        ("DATE", "'2026-01-31'", [b"2026-01-31"]),
        ("TIME", "'09:30:00'", [b"09:30:00"]),
        ("TIMESTAMP", "'2026-01-31 12:30:00.5'", [b"2026-01-31T12:30:00.500000"]),
        ("INTERVAL", "'1 day 02:03:04'", [b"26:03:04"]),
        (
            "UUID",
            "'12345678-1234-5678-1234-567812345678'",
            [b"12345678-1234-5678-1234-567812345678"],
        ),
        ("JSONB", "'{\"b\": [1]}'", [b'{"b": [1]}']),
        ("INET", "'10.0.0.1'", [b"10.0.0.1"]),
        ("INT[]", "'{1,2}'", [1, 2]),
        ("TEXT[]", "'{x,y}'", [b"x", b"y"]),
        ("FLOAT8[]", "'{0.5,2}'", [0.5, 2.0]),
    ],
    "mysql": [
        ("BOOL", "true", [1]),
        ("DECIMAL(20, 4)", "1.5", [1.5]),
        ("BLOB", "x'ff00'", [b"\xff\0"]),
        ("DATE", "'2026-01-31'", [b"2026-01-31"]),
        ("TIME", "'09:30:00'", [b"09:30:00"]),
        ("TIME", "'-12:30:00'", [b"-12:30:00"]),
        ("DATETIME(6)", "'2026-01-31 12:30:00.5'", [b"2026-01-31T12:30:00.500000"]),
        ("ENUM('A', 'B')", "'B'", [b"B"]),
        ("YEAR", "2026", [2026]),
    ],
    "sqlite": [
        ("BOOLEAN", "true", [1]),
        ("BLOB", "x'ff00'", [b"\xff\0"]),
        ("DATE", "'2026-01-31'", [b"2026-01-31"]),
    ],
}


def test_types(url, execute):
    columns = COLUMNS[url.partition(":")[0]]
    names = [f"c{number}" for number in range(len(columns))]
    declared = ", ".join(
        f"{name} {kind}" for name, (kind, _, _) in zip(names, columns, strict=True)
    )
    values = ", ".join(value.replace("%", "%%") for _, value, _ in columns)
    execute(
        f"CREATE TABLE t (n INT, {declared})",
        f"INSERT INTO t VALUES (1, {values})",
        "INSERT INTO t (n) VALUES (2)",
    )
    first, second = rows(url, f"SELECT {', '.join(names)} FROM t ORDER BY n")
    assert first == {name: value for name, (_, _, value) in zip(names, columns, strict=True)}
    assert second == dict.fromkeys(names)


def test_faults(url, execute):
    execute("CREATE TABLE t (i INT)")
    with pytest.raises(
        QueryError, match=r"(?s)refused the query: .*\nQuery: SELECT \* FROM absent"
    ):
        rows(url, "SELECT * FROM absent")
    with pytest.raises(QueryError, match=r"columns \['i'\] more than once"):
        rows(url, "SELECT i, i FROM t")
    with pytest.raises(QueryError, match="returns no rows|refused the query"):
        rows(url, "DELETE FROM t")
    if "@" in url:
        away = url.replace("penstock@", "nobody@").rpartition("/")[0] + "/absent"
        with pytest.raises(QueryError, match="Cannot connect to the database .*absent"):
            rows(away, "SELECT 1")


NUMBERS = {
    "postgresql": "SELECT g AS id, md5(g::text) AS s FROM generate_series(1, {many}) g",
    "mysql": "SELECT seq AS id, md5(seq) AS s FROM seq_1_to_{many}",
    "sqlite": "WITH RECURSIVE g(id) AS (SELECT 1 UNION ALL SELECT id + 1 FROM g WHERE id < {many}) "
    "SELECT id, hex(id) AS s FROM g",
}

MEASURE = """
import resource, sys
from penstock.io import read_query
url, query = sys.argv[1:]
next(read_query(url, "SELECT 1 AS x"))
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
count = sum(batch.num_rows for batch in read_query(url, query))
print(count, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before)
"""


def test_large_results_are_streamed(url):
    query = NUMBERS[url.partition(":")[0]].format(many=MANY)
    said = subprocess.run(
        [sys.executable, "-c", MEASURE, url, query], capture_output=True, text=True, check=True
    )
    count, grown_kib = map(int, said.stdout.split())
    assert count == MANY
    assert grown_kib < 40_000  # a list of all rows takes more than 60 MB


def test_the_component(url, execute, tmp_path):
    execute(
        "CREATE TABLE t (n INT, s VARCHAR(9))",
        "INSERT INTO t VALUES " + ", ".join(f"({n}, 'v{n % 3}')" for n in range(200)),
    )
    component = QueryExampleGen(database=url, query="SELECT n, s FROM t ORDER BY n")
    examples = run_component(component, tmp_path / "root")["examples"]
    assert sum(read_row_counts(examples.uri).values()) == 200
    files = [file for split in examples.splits for file in split_files(examples.uri, split)]
    found = [row for batch in read_record_batches(files) for row in batch.to_pylist()]
    assert sorted(row["n"][0] for row in found) == list(range(200))
    assert {row["s"][0] for row in found} == {b"v0", b"v1", b"v2"}
