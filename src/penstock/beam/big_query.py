"""BigQuery's results on Beam: a stream of the Storage Read API for each worker.

Source of the protocol: https://cloud.google.com/bigquery/docs/reference/storage (ReadRows, Arrow).
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator, Mapping
from typing import TYPE_CHECKING, Any

from penstock.beam.query_input import QueryInput
from penstock.beam.shard_readers import BeamSource

if TYPE_CHECKING:
    import pyarrow as pa


def big_query_source(
    queries: Mapping[str, str],
    client: Any,
    storage: Any,
    make_storage: Callable[[], Any] | None = None,
) -> BeamSource:
    """Make queries, and open streams of their results for Beam's workers.

    The streams of one result hold its rows in no particular order, and each row once; they expire after
    six hours.

    Args:
        queries: GoogleSQL, by input split.
        client: A `google.cloud.bigquery.Client`; its project runs and pays for the queries.
        storage: A `google.cloud.bigquery_storage.BigQueryReadClient`.
        make_storage: Makes such a client on a worker; by default from its own credentials.
    """
    from google.cloud.bigquery_storage import types

    schemas: dict[str, bytes] = {}
    parts: dict[str, list[str]] = {}
    size = 0
    for split, query in queries.items():
        job = client.query(query)
        job.result()
        table = job.destination.to_api_repr()
        session = storage.create_read_session(
            parent=f"projects/{client.project}",
            read_session=types.ReadSession(
                table="projects/{projectId}/datasets/{datasetId}/tables/{tableId}".format(**table),
                data_format=types.DataFormat.ARROW,
            ),
            max_stream_count=0,
        )
        parts[split] = [stream.name for stream in session.streams]
        schemas.update(dict.fromkeys(parts[split], session.arrow_schema.serialized_schema))
        size += session.estimated_total_bytes_scanned
    read = functools.partial(_read_stream, schemas, make_storage or _storage_of_worker)
    return BeamSource(parts, QueryInput(read), size)


def _storage_of_worker() -> Any:
    from google.cloud import bigquery_storage

    make: Any = bigquery_storage.BigQueryReadClient
    return make()


def _read_stream(
    schemas: Mapping[str, bytes], make_storage: Callable[[], Any], stream: str
) -> Iterator[pa.RecordBatch]:
    import pyarrow as pa

    from penstock.io.tables.example_columns import example_columns, value_type

    schema = pa.ipc.read_schema(pa.py_buffer(schemas[stream]))
    types = {field.name: value_type(field.name, field.type) for field in schema}
    for response in make_storage().read_rows(stream):
        content = pa.py_buffer(response.arrow_record_batch.serialized_record_batch)
        yield example_columns(pa.ipc.read_record_batch(content, schema), types)
