"""BigQueryExampleGen: the result of BigQuery queries into Examples."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, Any, ClassVar

from penstock.components.query_example_gen import QueryBasedExampleGen
from penstock.dsl import ExecutionContext
from penstock.installation import install_command

if TYPE_CHECKING:
    import pyarrow as pa

    from penstock.beam import BeamSource
    from penstock.io.ingestion.write_examples import Rows

_PROJECT_FLAG = "--project="


class BigQueryExampleGen(QueryBasedExampleGen):
    """Reads the result of BigQuery queries (GoogleSQL) into `Examples`.

    Needs `pip install 'penstock-ml[gcp]'` and, where it runs, Google's application default
    credentials with the roles BigQuery Job User and BigQuery Data Viewer, and a project to bill,
    from `project`, `--project=` in `beam_pipeline_args`, or the credentials.

    Where `beam_pipeline_args` name a runner, its workers read the result in several streams, in no
    particular order; their account needs the role BigQuery Read Session User.

    Args:
        project: The Google Cloud project that runs and pays for the query.

    Further arguments are those of `QueryBasedExampleGen`.

    Example:
        BigQueryExampleGen(
            query="SELECT * FROM `shop.trips` WHERE day = @span_yyyymmdd_utc",
            range_config=RangeConfig(static_range=StaticRange(20_000, 20_000)),
        )
    """

    TYPE_NAME: ClassVar = (
        "tfx.extensions.google_cloud_big_query.example_gen.component.BigQueryExampleGen"
    )
    LIBRARIES: ClassVar = ("pyarrow", "tfx-bsl", "google-cloud-bigquery")

    project: str | None = None

    def query_rows(self, query: str, context: ExecutionContext) -> Iterable[Rows]:
        """Run a query and stream its rows."""
        from penstock.io.ingestion.write_examples import Rows

        batches = read_big_query(query, *_clients(self._billed(context)))
        return Rows.of_batches(batches, missing="kindless")

    def beam_source(self, queries: Mapping[str, str], context: ExecutionContext) -> BeamSource:
        """Run the queries and let workers read streams of their results."""
        from penstock.beam import big_query_source

        return big_query_source(queries, *_clients(self._billed(context)))

    def _billed(self, context: ExecutionContext) -> str | None:
        flags = [arg for arg in context.beam_pipeline_args if arg.startswith(_PROJECT_FLAG)]
        return self.project or (flags[-1].removeprefix(_PROJECT_FLAG) if flags else None)


def _clients(project: str | None) -> tuple[Any, Any]:
    try:
        from google.auth.exceptions import DefaultCredentialsError
        from google.cloud import bigquery, bigquery_storage
    except ImportError as error:
        raise ImportError(
            f"BigQueryExampleGen needs Google's client: {install_command('gcp')}"
        ) from error
    try:
        storage: Any = bigquery_storage.BigQueryReadClient
        return bigquery.Client(project=project), storage()
    except (DefaultCredentialsError, OSError) as error:
        raise RuntimeError(
            "BigQueryExampleGen needs Google's application default credentials and a project "
            "to bill: `gcloud auth application-default login`, a service account, or "
            f"GOOGLE_APPLICATION_CREDENTIALS, and project=. Google says: {error}"
        ) from error


def read_big_query(query: str, client: Any, storage: Any = None) -> Iterator[pa.RecordBatch]:
    """Run a query and read its rows in one stream, so that ORDER BY holds.

    Args:
        query: GoogleSQL.
        client: A `google.cloud.bigquery.Client`.
        storage: A `google.cloud.bigquery_storage.BigQueryReadClient`, which is faster; if None,
            rows come through the REST API.
    """
    from penstock.io.tables.example_columns import example_columns, value_type

    result = client.query(query).result()
    types = None
    for batch in result.to_arrow_iterable(bqstorage_client=storage, max_stream_count=1):
        if types is None:
            types = {field.name: value_type(field.name, field.type) for field in batch.schema}
        yield example_columns(batch, types)
