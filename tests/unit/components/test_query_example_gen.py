import http.server
import json
import sqlite3
import threading

import pyarrow as pa
import pytest

from penstock.components import BigQueryExampleGen, QueryExampleGen
from penstock.components.query_example_gen import QueryBasedExampleGen, query_for_span
from penstock.io import (
    Input,
    RangeConfig,
    RollingRange,
    Split,
    StaticRange,
    read_record_batches,
    read_row_counts,
    split_files,
)
from penstock.io.ingestion.write_examples import Rows
from penstock.testing import ComponentFailed, run_component
from penstock.testing.contract import check_component

DAY = 20_000


@pytest.fixture
def project(tmp_path):
    connection = sqlite3.connect(tmp_path / "trips.db")
    connection.execute(
        "CREATE TABLE trips (id INTEGER, fare REAL, company TEXT, day TEXT, at INTEGER)"
    )
    rows = [
        (
            i,
            None if i % 9 == 0 else i / 2,
            f"c{i % 4}",
            f"2024100{i % 5 + 4}",
            (DAY + i % 5) * 86400,
        )
        for i in range(300)
    ]
    connection.executemany("INSERT INTO trips VALUES (?, ?, ?, ?, ?)", rows)
    connection.commit()
    connection.close()
    return tmp_path


def ids(examples, split):
    batches = read_record_batches(split_files(examples.uri, split))
    return [row["id"][0] for batch in batches for row in batch.to_pylist()]


def test_the_contract(project):
    component = QueryExampleGen(
        database="sqlite:///trips.db", query="SELECT * FROM trips ORDER BY id", cache_query=True
    )
    check_component(component, project / "work", project_root=project)


def test_a_query_is_divided_by_hash_buckets(project):
    component = QueryExampleGen(database="sqlite:///trips.db", query="SELECT * FROM trips")
    examples = run_component(component, project / "out", project_root=project)["examples"]
    assert sorted(ids(examples, "train") + ids(examples, "eval")) == list(range(300))
    counts = read_row_counts(examples.uri)
    assert 170 < counts["train"] < 230
    assert examples.custom_properties["span"] == 0


def test_a_query_a_split_and_a_span(project):
    where = "at >= @span_begin_timestamp AND at < @span_end_timestamp AND day = @span_yyyymmdd_utc"
    config = Input(
        [
            Split("train", f"SELECT id FROM trips WHERE {where} AND id < 200"),
            Split("eval", f"SELECT id FROM trips WHERE {where} AND id >= 200"),
        ]
    )
    span = RangeConfig(static_range=StaticRange(DAY + 2, DAY + 2))
    component = QueryExampleGen(
        database="sqlite:///trips.db", input_config=config, range_config=span
    )
    examples = run_component(component, project / "out", project_root=project)["examples"]
    assert ids(examples, "train") == list(range(2, 200, 5))
    assert ids(examples, "eval") == list(range(202, 300, 5))
    assert examples.custom_properties["span"] == DAY + 2


def test_spans_are_filled_in_as_tfx_does():
    query = "a=@span_yyyymmdd_utc and t>=@span_begin_timestamp and t<@span_end_timestamp"
    assert query_for_span(query, 2) == "a='19700103' and t>=172800 and t<259200"


def test_a_failing_query_is_named(project):
    component = QueryExampleGen(database="sqlite:///trips.db", query="SELECT * FROM nowhere")
    with pytest.raises(ComponentFailed, match=r"no such table: nowhere"):
        run_component(component, project / "out", project_root=project)
    component = QueryExampleGen(database="sqlite:///trips.db", query="SELECT id FROM trips LIMIT 0")
    with pytest.raises(ComponentFailed, match=r"There were no rows to write"):
        run_component(component, project / "out", project_root=project)


def test_a_result_is_used_again_only_when_told_to():
    asked = QueryExampleGen(database="sqlite:///d", query="SELECT 1")
    assert not asked.is_current({}, str)
    kept = QueryExampleGen(database="sqlite:///d", query="SELECT 1", cache_query=True)
    assert kept.is_current({}, str)


def test_definitions_are_checked():
    with pytest.raises(ValueError, match="takes either query or input_config"):
        QueryExampleGen(database="sqlite:///d")
    for database in ("postgresql://me:secret@host/d", "mssql://host/d?user=me&PWD=secret"):
        with pytest.raises(ValueError, match="holds a password") as caught:
            QueryExampleGen(database=database, query="SELECT 1")
        assert "secret" not in str(caught.value)
    QueryExampleGen(database="mssql://host/d?password=${DB_PASSWORD}", query="SELECT 1")
    QueryExampleGen(database="postgresql://me:${DB_PASSWORD}@host/d", query="SELECT 1")
    with pytest.raises(ValueError, match="there is no range_config"):
        BigQueryExampleGen(query="SELECT * FROM t WHERE day = @span_yyyymmdd_utc")
    with pytest.raises(ValueError, match="by a static_range of one"):
        BigQueryExampleGen(
            query="SELECT 1", range_config=RangeConfig(rolling_range=RollingRange(1))
        )


class Counting(QueryBasedExampleGen):
    """Counts to the number that the query is."""

    def query_rows(self, query, context):
        yield from Rows.of_batches([pa.record_batch({"id": list(range(int(query)))})])


def test_definitions_compile():
    from penstock import Pipeline
    from penstock.graph import Graph, compile_pipeline

    span = RangeConfig(static_range=StaticRange(7, 7))
    components = [
        QueryExampleGen(database="sqlite:///d", query="SELECT 1", range_config=span),
        BigQueryExampleGen(query="SELECT @span_yyyymmdd_utc", range_config=span, project="p"),
    ]
    graph = compile_pipeline(Pipeline("queries", components=components))
    assert Graph.from_json(graph.to_json()).digest == graph.digest
    assert [node.id for node in graph.nodes] == ["QueryExampleGen", "BigQueryExampleGen"]


def test_an_example_gen_of_ones_own(tmp_path):
    examples = run_component(Counting(query="10"), tmp_path)["examples"]
    assert sorted(ids(examples, "train") + ids(examples, "eval")) == list(range(10))


def test_big_query_says_what_it_needs(tmp_path, monkeypatch):
    component = BigQueryExampleGen(query="SELECT 1", project="p")
    # It is an attribute of its package if another test has imported it.
    monkeypatch.delattr(__import__("google.cloud").cloud, "bigquery_storage", raising=False)
    monkeypatch.setitem(__import__("sys").modules, "google.cloud.bigquery_storage", None)
    with pytest.raises(ComponentFailed, match=r"pip install 'penstock-ml\[gcp\]'"):
        run_component(component, tmp_path)


def test_big_query_needs_credentials(tmp_path, monkeypatch):
    pytest.importorskip("google.cloud.bigquery_storage")
    monkeypatch.setenv("GOOGLE_APPLICATION_CREDENTIALS", str(tmp_path / "absent.json"))
    with pytest.raises(ComponentFailed, match="needs Google's application default credentials"):
        run_component(BigQueryExampleGen(query="SELECT 1", project="p"), tmp_path)


class _BigQuery(http.server.BaseHTTPRequestHandler):
    """The four REST methods that a query takes, for one table."""

    asked: list = []
    job = {"projectId": "p", "jobId": "j", "location": "EU"}
    table = {"projectId": "p", "datasetId": "d", "tableId": "t"}
    schema = {
        "fields": [
            {"name": "id", "type": "INTEGER", "mode": "NULLABLE"},
            {"name": "fare", "type": "FLOAT", "mode": "NULLABLE"},
            {"name": "tags", "type": "STRING", "mode": "REPEATED"},
        ]
    }
    rows = [
        {"f": [{"v": "1"}, {"v": "2.5"}, {"v": [{"v": "x"}, {"v": "y"}]}]},
        {"f": [{"v": None}, {"v": None}, {"v": []}]},
    ]

    def do_POST(self):
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        self.asked.append(body["configuration"]["query"])
        self.job["jobId"] = body["jobReference"]["jobId"]
        self._answer(self._job())

    def do_GET(self):
        path = self.path.split("?")[0]
        if path.endswith("/data"):
            self._answer({"totalRows": "2", "rows": self.rows})
        elif "/queries/" in path:
            answer = {"jobReference": self.job, "jobComplete": True, "schema": self.schema}
            self._answer({**answer, "totalRows": "2", "rows": self.rows})
        elif "/tables/" in path:
            self._answer({"tableReference": self.table, "schema": self.schema, "numRows": "2"})
        else:
            self._answer(self._job())

    def _job(self):
        query = {"query": "q", "destinationTable": self.table}
        return {
            "jobReference": self.job,
            "status": {"state": "DONE"},
            "configuration": {"jobType": "QUERY", "query": query},
            "statistics": {"query": {"statementType": "SELECT"}},
        }

    def _answer(self, value):
        content = json.dumps(value).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, *args):
        pass


def test_big_query_rows_are_read_through_googles_client():
    bigquery = pytest.importorskip("google.cloud.bigquery")
    from google.auth.credentials import AnonymousCredentials

    from penstock.components.big_query_example_gen import read_big_query

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), _BigQuery)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        client = bigquery.Client(
            project="p",
            credentials=AnonymousCredentials(),
            client_options={"api_endpoint": f"http://127.0.0.1:{server.server_port}"},
        )
        rows = [r for b in read_big_query("SELECT * FROM d.t", client) for r in b.to_pylist()]
        client.close()
    finally:
        server.shutdown()
        server.server_close()
    assert rows == [
        {"id": [1], "fare": [2.5], "tags": [b"x", b"y"]},
        {"id": None, "fare": None, "tags": []},
    ]
    assert _BigQuery.asked[0]["query"] == "SELECT * FROM d.t"
    assert _BigQuery.asked[0]["useLegacySql"] is False
