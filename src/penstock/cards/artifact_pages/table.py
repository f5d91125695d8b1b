"""The page of a Table: columns, and first rows."""

from __future__ import annotations

from penstock.artifacts import Artifact, Table
from penstock.cards.artifact_pages.blocks import first_rows_section, row_table, section, tiles
from penstock.cards.html_page import PageContent
from penstock.cards.row_preview import first_rows

_ROWS = 50


def content(artifact: Artifact) -> PageContent:
    """Return the content of the page."""
    assert isinstance(artifact, Table)
    (found,) = first_rows(artifact, _ROWS)
    columns = [[name, kind] for name, kind in column_types(artifact).items()]
    return PageContent(
        head=[tiles([(found.total, "rows"), (len(columns), "columns")])],
        body=[
            first_rows_section(found),
            section("Columns", row_table(["column", "type"], columns)),
        ],
    )


def column_types(artifact: Table) -> dict[str, str]:
    """Return the Arrow type of each column by name."""
    import pyarrow.parquet as pq

    from penstock.io.files.filesystem import open_binary

    with open_binary(artifact.value_uri) as file:
        schema = pq.read_schema(file)
    return {field.name: str(field.type) for field in schema}
