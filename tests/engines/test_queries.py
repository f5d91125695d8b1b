"""Results of queries on Beam: the rows that are read locally."""

from __future__ import annotations

import http.server
import json
import sqlite3
import threading
from concurrent import futures

import grpc
import pyarrow as pa
import pytest

from penstock.beam import BeamSetup, big_query_source, write_examples_on_beam
from penstock.components import QueryExampleGen
from penstock.components.query_example_gen import QueryBasedExampleGen
from penstock.io import (
    Input,
    RangeConfig,
    Split,
    StaticRange,
    read_record_batches,
    read_row_counts,
    split_files,
)
from penstock.io.ingestion.config import Output
from penstock.io.ingestion.write_examples import Rows
from penstock.testing import ComponentFailed, run_component


@pytest.fixture
def database(tmp_path):
    path = tmp_path / "trees.db"
    connection = sqlite3.connect(path)
    connection.execute("CREATE TABLE trees (id INTEGER, height REAL, kind TEXT, day TEXT)")
    rows = [
        (
            i,
            None if i % 9 == 0 else i / 3,
            None if i % 5 == 0 else f"k{i % 4}",
            f"2024100{i % 3 + 4}",
        )
        for i in range(3_000)
    ]
    connection.executemany("INSERT INTO trees VALUES (?, ?, ?, ?)", rows)
    connection.commit()
    connection.close()
    return path


def rows(examples, split, file_format="tfrecords_gzip"):
    batches = read_record_batches(split_files(examples.uri, split), file_format=file_format)
    return sorted(str(row) for batch in batches for row in batch.to_pylist())


@pytest.mark.parametrize("file_format", ["tfrecords_gzip", "parquet"])
def test_queries_give_the_same_rows(database, engine, tmp_path, file_format):
    query = "SELECT * FROM trees WHERE day = @span_yyyymmdd_utc AND id % 2 = "
    splits = Input([Split("even", query + "0"), Split("odd", query + "1")])
    found = {}
    for name, args in (("local", ()), ("beam", engine)):
        component = QueryExampleGen(
            database=f"sqlite:///{database}",
            input_config=splits,
            range_config=RangeConfig(static_range=StaticRange(20_000, 20_000)),
            output_file_format=file_format,
        ).with_beam_pipeline_args(args)
        found[name] = run_component(component, tmp_path / name, project_root=tmp_path)["examples"]
    counts = read_row_counts(found["beam"].uri)
    assert counts == read_row_counts(found["local"].uri)
    assert sum(counts.values()) == 1000
    assert found["beam"].custom_properties == found["local"].custom_properties
    assert found["beam"].splits == found["local"].splits == ["even", "odd"]
    for split in splits.splits:
        expected = rows(found["local"], split.name, file_format)
        assert rows(found["beam"], split.name, file_format) == expected
        assert len(expected) == counts[split.name]


def test_the_environment_variable_is_that_of_the_worker(database, tmp_path, monkeypatch):
    component = QueryExampleGen(
        database=f"sqlite:///{database.parent}/${{TREES}}.db", query="SELECT id FROM trees"
    ).with_beam_pipeline_args(["--runner=FnApiRunner"])
    with pytest.raises(ComponentFailed, match="names the environment variable TREES"):
        run_component(component, tmp_path / "without", project_root=tmp_path)
    monkeypatch.setenv("TREES", "trees")
    examples = run_component(component, tmp_path / "with", project_root=tmp_path)["examples"]
    assert sum(read_row_counts(examples.uri).values()) == 3_000


class CountingExampleGen(QueryBasedExampleGen):
    """Counts to the number that the query is."""

    def query_rows(self, query, context):
        yield from Rows.of_batches([pa.record_batch({"id": list(range(int(query)))})])


def test_ones_own_database_is_read_here_and_the_log_says_so(tmp_path, caplog):
    component = CountingExampleGen(query="10").with_beam_pipeline_args(["--runner=FnApiRunner"])
    examples = run_component(component, tmp_path, project_root=tmp_path)["examples"]
    assert sum(read_row_counts(examples.uri).values()) == 10
    assert "The component defines no beam_source" in caplog.text


TABLE = pa.table(
    {
        "id": pa.array(range(100), pa.int64()),
        "fare": pa.array([None if i % 7 == 0 else i / 2 for i in range(100)], pa.float64()),
        "tags": [["a", "b"][: i % 3] for i in range(100)],
    }
)


class Rest(http.server.BaseHTTPRequestHandler):
    """What making a query takes of BigQuery's REST API."""

    asked: list[str] = []

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        self.asked.append(body["configuration"]["query"]["query"])
        type(self).job = body["jobReference"]["jobId"]
        self._answer(self._job())

    def do_GET(self) -> None:
        if "/queries/" in self.path:
            reference = self._job()["jobReference"]
            fields = [{"name": "id", "type": "INTEGER"}]
            answer = {"jobReference": reference, "jobComplete": True, "totalRows": "100"}
            self._answer({**answer, "schema": {"fields": fields}})
        else:
            self._answer(self._job())

    def _job(self) -> dict:
        table = {"projectId": "p", "datasetId": "_anonymous", "tableId": "result"}
        return {
            "jobReference": {"projectId": "p", "jobId": self.job, "location": "EU"},
            "status": {"state": "DONE"},
            "statistics": {"query": {"statementType": "SELECT"}},
            "configuration": {"jobType": "QUERY", "query": {"destinationTable": table}},
        }

    def _answer(self, answer: dict) -> None:
        content = json.dumps(answer).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, *args: object) -> None:
        """Says nothing."""


@pytest.fixture
def rest():
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Rest)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()


@pytest.fixture
def storage_address():
    """The Storage Read API over gRPC: three streams of a table."""
    types = pytest.importorskip("google.cloud.bigquery_storage").types

    def create(request, context):
        asked = request.read_session
        assert request.parent == "projects/p"
        assert asked.table == "projects/p/datasets/_anonymous/tables/result"
        assert asked.data_format == types.DataFormat.ARROW
        schema = TABLE.schema.serialize().to_pybytes()
        return types.ReadSession(
            streams=[types.ReadStream(name=f"{asked.table}/streams/{n}") for n in range(3)],
            arrow_schema=types.ArrowSchema(serialized_schema=schema),
            estimated_total_bytes_scanned=TABLE.nbytes,
        )

    def read(request, context):
        first = int(request.read_stream.rsplit("/", 1)[1]) * 34
        for start in range(first, min(first + 34, 100), 10):
            batch = TABLE.slice(start, min(10, first + 34 - start)).combine_chunks()
            (found,) = batch.to_batches()
            yield types.ReadRowsResponse(
                arrow_record_batch=types.ArrowRecordBatch(
                    serialized_record_batch=found.serialize().to_pybytes()
                ),
                row_count=found.num_rows,
            )

    methods = {
        "CreateReadSession": grpc.unary_unary_rpc_method_handler(
            create,
            types.CreateReadSessionRequest.deserialize,
            types.ReadSession.serialize,
        ),
        "ReadRows": grpc.unary_stream_rpc_method_handler(
            read, types.ReadRowsRequest.deserialize, types.ReadRowsResponse.serialize
        ),
    }
    service = "google.cloud.bigquery.storage.v1.BigQueryRead"
    server = grpc.server(futures.ThreadPoolExecutor(4))
    server.add_generic_rpc_handlers([grpc.method_handlers_generic_handler(service, methods)])
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    yield f"127.0.0.1:{port}"
    server.stop(None).wait()


class Storage:
    """Makes a client of Google's for an address; picklable."""

    def __init__(self, address: str) -> None:
        self._address = address

    def __call__(self):
        from google.cloud.bigquery_storage import BigQueryReadClient
        from google.cloud.bigquery_storage_v1.services.big_query_read.transports import (
            BigQueryReadGrpcTransport,
        )

        channel = grpc.insecure_channel(self._address)
        return BigQueryReadClient(transport=BigQueryReadGrpcTransport(channel=channel))


def test_big_query_streams_are_read_by_workers(rest, storage_address, tmp_path):
    """Google's own clients, against loopback stubs of the two APIs."""
    from google.auth.credentials import AnonymousCredentials
    from google.cloud import bigquery

    make = Storage(storage_address)
    client = bigquery.Client(
        project="p",
        credentials=AnonymousCredentials(),
        client_options={"api_endpoint": rest},
    )
    source = big_query_source({"all": "SELECT * FROM trips"}, client, make(), make)
    client.close()
    assert Rest.asked[-1] == "SELECT * FROM trips"
    assert len(source.parts["all"]) == 3
    assert source.size == TABLE.nbytes
    uri = str(tmp_path / "examples")
    counts = write_examples_on_beam(
        BeamSetup(["--runner=FnApiRunner"]),
        source.parts,
        source.reader,
        Output(),
        uri,
        input_size=source.size,
    )
    assert counts == {"all": 100}
    found = {}
    for batch in read_record_batches(split_files(uri, "all")):
        for row in batch.to_pylist():
            found[row["id"][0]] = (row["fare"], row["tags"])
    expected = {
        row["id"]: (
            None if row["fare"] is None else [row["fare"]],
            [tag.encode() for tag in row["tags"]] or None,
        )
        for row in TABLE.to_pylist()
    }
    assert found == expected
