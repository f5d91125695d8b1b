"""Reading and writing statistics and schemas."""

import pytest

from penstock.data_validation import (
    generate_statistics_from_csv,
    infer_schema,
    load_schema_text,
    load_statistics,
    write_schema_text,
    write_stats_text,
)


def test_paths_may_be_path_objects(tmp_path):
    (tmp_path / "d.csv").write_text("a,b\n1,x\n2,y\n")
    found = generate_statistics_from_csv(tmp_path / "d.csv", output_path=tmp_path / "d.pb")
    assert load_statistics(tmp_path / "d.pb") == found
    write_stats_text(found, tmp_path / "d.pbtxt")
    assert load_statistics(tmp_path / "d.pbtxt") == found
    schema = infer_schema(found)
    write_schema_text(schema, tmp_path / "schema.pbtxt")
    assert load_schema_text(tmp_path / "schema.pbtxt") == schema
    with pytest.raises(FileNotFoundError, match="No files match .*none.csv"):
        generate_statistics_from_csv(tmp_path / "none.csv")
