import datetime
import decimal
import pickle
import re
import sqlite3

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from penstock.io.tables.avro_ingest import AvroError, avro_rows, read_avro
from penstock.io.tables.parquet_ingest import ParquetError, read_parquet
from penstock.io.tables.query_ingest import QueryError, expand_database, read_query

fastavro = pytest.importorskip("fastavro")


def rows(batches):
    return [row for batch in batches for row in batch.to_pylist()]


@pytest.fixture
def parquet(tmp_path):
    def write(name="a.parquet", **columns):
        path = str(tmp_path / name)
        pq.write_table(pa.table(columns), path, row_group_size=2)
        return path

    return write


def test_parquet_types(parquet):
    path = parquet(
        i=pa.array([1, None, 2**63 - 1]),
        u=pa.array([1, 2, 3], pa.uint8()),
        b=[True, False, None],
        f=[0.5, None, 2.0],
        d=[decimal.Decimal("1.25"), None, decimal.Decimal("2.50")],
        s=["x", "", None],
        y=[b"\xff", b"", None],
        c=pa.array(["p", "q", "p"]).dictionary_encode(),
        day=[datetime.date(2026, 1, 31), None, datetime.date(1969, 12, 31)],
        at=pa.array([0, 1_500_000, None], pa.timestamp("us", "UTC")),
        l=pa.array([[1, 2], [], None]),
        lf=pa.array([[0.5], None, [1.5, 2.5]], pa.list_(pa.float64())),
        n=pa.nulls(3),
    )
    first, second, third = rows(read_parquet([path]))
    assert first == {
        "i": [1], "u": [1], "b": [1], "f": [0.5], "d": [1.25], "s": [b"x"], "y": [b"\xff"],
        "c": [b"p"], "day": [b"2026-01-31"], "at": [b"1970-01-01T00:00:00.000000Z"], "l": [1, 2],
        "lf": [0.5], "n": None,
    }  # fmt: skip
    assert (second["i"], second["s"], second["l"], second["day"]) == (None, [b""], [], None)
    assert (third["i"], third["l"], third["lf"]) == ([2**63 - 1], None, [1.5, 2.5])


def test_a_parquet_column_that_does_not_fit_is_named(parquet):
    with pytest.raises(
        ParquetError, match=r"a\.parquet, column 's': of type struct<x: int64> does"
    ):
        rows(read_parquet([parquet(s=[{"x": 1}])]))
    with pytest.raises(ParquetError, match=r"a\.parquet, column 'l': .*has a null within a list"):
        rows(read_parquet([parquet(l=[[1, None]])]))
    with pytest.raises(ParquetError, match=r"column 'u': .*has a value that does not fit"):
        rows(read_parquet([parquet(u=pa.array([2**64 - 1], pa.uint64()))]))


@pytest.mark.parametrize(
    ("other", "message"),
    [
        ({"a": [1], "b": ["x"], "c": [1]}, r"2\.parquet, column 'c': is not in .*1\.parquet"),
        ({"a": [1]}, r"2\.parquet, column 'b': is missing, but .*1\.parquet has"),
        (
            {"a": ["1"], "b": ["x"]},
            r"column 'a': holds strings or bytes here and integers in .*1\.p",
        ),
    ],
)
def test_a_parquet_file_with_another_schema(parquet, other, message):
    one = parquet("1.parquet", a=[1, 2], b=["x", "y"])
    two = parquet("2.parquet", **other)
    three = parquet("3.parquet", b=["z"], a=pa.array([3], pa.int32()))
    with pytest.raises(ParquetError, match=message):
        rows(read_parquet([one, two, three]))
    told = []
    assert [row["a"] for row in rows(read_parquet([one, two, three], on_broken=told.append))] == [
        [1],
        [2],
        [3],
    ]
    assert [(row.file, row.raw, row.rows) for row in told] == [(two, None, 1)]


def test_a_column_that_is_null_in_one_file(parquet):
    one, two = parquet("1.parquet", a=pa.nulls(1)), parquet("2.parquet", a=[5])
    assert rows(read_parquet([one, two])) == [{"a": None}, {"a": [5]}]


def test_a_damaged_parquet_file(parquet, tmp_path):
    good = parquet("1.parquet", a=list(range(10)))
    bad = parquet("2.parquet", a=list(range(10, 20)))
    content = bytearray((tmp_path / "2.parquet").read_bytes())
    (tmp_path / "2.parquet").write_bytes(content[:-20])
    with pytest.raises(ParquetError, match=r"2\.parquet: not a Parquet file, or damaged"):
        rows(read_parquet([good, bad]))
    told = []
    assert len(rows(read_parquet([good, bad], on_broken=told.append))) == 10
    assert [row.file for row in told] == [bad]


def test_damaged_parquet_pages(tmp_path):
    path = tmp_path / "a.parquet"
    table = pa.table({"a": list(range(40_000))})
    pq.write_table(table, path, row_group_size=10_000, write_page_checksum=True)
    start = pq.read_metadata(path).row_group(2).column(0).data_page_offset
    content = bytearray(path.read_bytes())
    content[start + 5000] ^= 0xFF
    path.write_bytes(content)
    with pytest.raises(ParquetError, match=r"a\.parquet: after row 20000"):
        rows(read_parquet([str(path)]))
    told = []
    found = rows(read_parquet([str(path)], on_broken=told.append))
    assert [row["a"][0] for row in found] == list(range(20_000))
    assert [(row.rows, row.raw) for row in told] == [(20_000, None)]


AVRO = {
    "type": "record",
    "name": "user",
    "fields": [
        {"name": "n", "type": ["null", "long"]},
        {"name": "s", "type": "string"},
        {"name": "f", "type": ["null", "double", "int"]},
        {"name": "b", "type": "boolean"},
        {"name": "l", "type": {"type": "array", "items": "int"}},
        {"name": "e", "type": {"type": "enum", "name": "e", "symbols": ["A", "B"]}},
        {"name": "day", "type": ["null", {"type": "int", "logicalType": "date"}]},
    ],
}


def avro_user(number):
    return {
        "n": number or None, "s": f"s{number}", "f": 0.5, "b": True, "l": [number] * (number % 3),
        "e": "B", "day": datetime.date(2026, 1, 31),
    }  # fmt: skip


@pytest.fixture
def avro(tmp_path):
    def write(name="a.avro", count=3, schema=AVRO, make=avro_user):
        with open(tmp_path / name, "wb") as file:
            users = [make(number) for number in range(count)]
            fastavro.writer(file, schema, users, codec="deflate", sync_interval=3000)
        return str(tmp_path / name)

    return write


def test_avro_types(avro):
    first, second, third = rows(read_avro([avro()]))
    assert first == {
        "n": None, "s": [b"s0"], "f": [0.5], "b": [1], "l": [], "e": [b"B"], "day": [b"2026-01-31"],
    }  # fmt: skip
    assert (second["n"], second["l"], third["l"]) == ([1], [1], [2, 2])


def test_avro_fields_that_do_not_fit_are_named(avro):
    schema = {
        "type": "record",
        "name": "r",
        "fields": [{"name": "m", "type": {"type": "map", "values": "int"}}],
    }
    path = avro(schema=schema, make=lambda number: {"m": {"x": number}})
    with pytest.raises(AvroError, match=r"a\.avro, column 'm': of type .*map.* does not fit"):
        rows(read_avro([path]))


def test_avro_files_with_another_schema_or_none(avro, tmp_path):
    schema = {"type": "record", "name": "r", "fields": [{"name": "n", "type": "string"}]}
    one, two = avro(), avro("b.avro", schema=schema, make=lambda number: {"n": "x"})
    (tmp_path / "c.avro").write_bytes(b"not Avro")
    with pytest.raises(AvroError, match=r"b\.avro, column 'n': holds strings or bytes here"):
        rows(read_avro([one, two]))
    with pytest.raises(AvroError, match=r"c\.avro: not an Avro file, or damaged"):
        rows(read_avro([one, str(tmp_path / "c.avro")]))
    told = []
    assert len(rows(read_avro([one, two, str(tmp_path / "c.avro")], on_broken=told.append))) == 3
    assert [row.file[-6:] for row in told] == ["b.avro", "c.avro"]


def test_a_damaged_avro_block(avro, tmp_path):
    path = avro(count=2000)
    content = bytearray((tmp_path / "a.avro").read_bytes())
    content[len(content) // 2] ^= 0xFF
    (tmp_path / "a.avro").write_bytes(content)
    with pytest.raises(AvroError, match=r"a\.avro, offset \d+: damaged block"):
        rows(read_avro([path]))
    told = []
    found = rows(read_avro([path], on_broken=told.append))
    ((row,)) = told
    assert len(found) + row.rows == 2000
    assert len(found) > 1000
    assert row.raw == content[row.offset : row.offset + len(row.raw)]


def test_reading_goes_on_behind_the_next_sync_marker(avro, tmp_path):
    path = avro(count=2000)
    content = bytearray((tmp_path / "a.avro").read_bytes())
    marker = content[-16:]
    places = [match.start() for match in re.finditer(re.escape(marker), content)]
    content[places[2] + 5] ^= 0xFF  # the header's is the first: behind the second block
    (tmp_path / "a.avro").write_bytes(content)
    with pytest.raises(AvroError, match=rf"a\.avro, offset {places[1] + 16}: damaged after row \d"):
        rows(read_avro([path]))
    told = []
    found = rows(read_avro([path], on_broken=told.append))
    ((row,)) = told
    assert "the sync marker after the block does not match" in row.reason
    assert row.raw == content[places[1] + 16 : places[3] + 16]  # with the block that follows
    names = [int(row["s"][0][1:]) for row in found]
    lost = sorted(set(range(2000)) - set(names))
    assert names == sorted(names)
    assert lost == list(range(lost[0], lost[-1] + 1))
    assert 0 < len(lost) < 1500


def test_a_truncated_avro_file(avro, tmp_path):
    path = avro(count=2000)
    whole = (tmp_path / "a.avro").read_bytes()
    (tmp_path / "a.avro").write_bytes(whole[:-100])
    with pytest.raises(
        AvroError, match=r"a\.avro, offset \d+: damaged after row \d+: the file ends"
    ):
        rows(read_avro([path]))
    told = []
    found = rows(read_avro([path], on_broken=told.append))
    assert [row["s"] for row in found] == [[b"s%d" % n] for n in range(len(found))]
    assert told[0].raw == whole[told[0].offset : -100]


def test_an_avro_block_of_an_absurd_size(avro, tmp_path):
    path = avro(count=2000)
    content = (tmp_path / "a.avro").read_bytes()
    second = content.index(content[-16:], content.index(content[-16:]) + 16) + 16
    absurd = b"\x02" + b"\xfe" + 8 * b"\xff" + b"\x01" + b"rows" + content[-16:]
    (tmp_path / "a.avro").write_bytes(content[:second] + absurd + content[second:])
    told = []
    assert len(rows(read_avro([path], on_broken=told.append))) == 2000
    assert [(row.offset, row.raw) for row in told] == [(second, absurd)]


def test_an_avro_codec_that_cannot_be_read(avro, tmp_path):
    one, two = avro(), avro("b.avro")
    content = (tmp_path / "b.avro").read_bytes()
    (tmp_path / "b.avro").write_bytes(content.replace(b"deflate", b"deflat9"))
    with pytest.raises(AvroError, match=r"b\.avro: its blocks cannot be decompressed: .*deflat9"):
        rows(read_avro([one, two]))
    told = []
    assert len(rows(read_avro([one, two], on_broken=told.append))) == 3
    assert [(row.file, row.raw) for row in told] == [(two, None)]


def test_an_avro_value_that_does_not_fit_costs_its_block(avro):
    types = {"type": "array", "items": ["null", "int"]}
    schema = {"type": "record", "name": "r", "fields": [{"name": "l", "type": types}]}
    path = avro(
        count=3000, schema=schema, make=lambda n: {"l": [n, None] if n == 2500 else [n] * 9}
    )
    with pytest.raises(AvroError, match=r"a\.avro, offset \d+, column 'l': .*null within a list"):
        rows(read_avro([path]))
    told = []
    found = rows(read_avro([path], on_broken=told.append))
    ((row,)) = told
    assert len(found) + row.rows == 3000
    assert row.rows < 1000
    assert [2500] not in [row["l"][:1] for row in found]


def test_avro_rows_are_the_same_for_every_way_of_reading(avro):
    path = avro(count=25_000)
    fast = list(avro_rows([path]))
    slow = list(avro_rows([path], on_broken=[].append))
    assert [block.batch.num_rows for block in fast] == [b.num_rows for b in read_avro([path])]
    assert [block.records for block in fast] == [block.records for block in slow]
    assert 2 < len(fast) < 25
    to_rows, parts = pickle.loads(pickle.dumps(avro_rows([path]).read().to_rows)), avro_rows([path])
    parts = pickle.loads(pickle.dumps(list(parts.read().blocks)))
    assert [to_rows(part).records for part in parts] == [block.records for block in fast]


def test_mixed_avro_numbers(avro):
    kinds = ["null", "long", "double", "boolean"]
    schema = {"type": "record", "name": "r", "fields": [{"name": "n", "type": kinds}]}
    values = [1, 2.5, None, True, 2**53 + 1]
    path = avro(count=5, schema=schema, make=lambda n: {"n": values[n]})
    assert rows(read_avro([path])) == [
        {"n": [1.0]}, {"n": [2.5]}, {"n": None}, {"n": [1.0]}, {"n": [2.0**53]},
    ]  # fmt: skip


def test_avro_needs_fastavro(avro, monkeypatch):
    path = avro()
    monkeypatch.setitem(__import__("sys").modules, "fastavro", None)
    with pytest.raises(ImportError, match=r"pip install 'penstock-ml\[avro\]'"):
        rows(read_avro([path]))


@pytest.fixture
def database(tmp_path):
    path = tmp_path / "d.db"
    connection = sqlite3.connect(path)
    connection.execute("CREATE TABLE t (i INTEGER, f REAL, s TEXT, y BLOB, mixed)")
    connection.executemany(
        "INSERT INTO t VALUES (?, ?, ?, ?, ?)",
        [(n or None, n / 2, f"s:{n}", bytes([n]), 1 if n < 3 else 1.5) for n in range(5)],
    )
    connection.commit()
    connection.close()
    return f"sqlite:///{path}"


def test_query_types(database):
    found = rows(read_query(database, "SELECT * FROM t ORDER BY f", batch_size=2))
    assert found[0] == {"i": None, "f": [0.0], "s": [b"s:0"], "y": [b"\0"], "mixed": [1.0]}
    assert [row["i"] for row in found] == [None, [1], [2], [3], [4]]
    assert [row["mixed"] for row in found] == [[1.0], [1.0], [1.0], [1.5], [1.5]]


def test_batches_of_a_query(database):
    numbers = "SELECT 1 AS id UNION ALL SELECT id + 1 FROM g WHERE id < {}"
    query = (
        "WITH RECURSIVE g(id) AS ("
        + numbers
        + ") SELECT id, CASE WHEN id > 1500 THEN 's' END AS s FROM g"
    )
    sizes = [batch.num_rows for batch in read_query(database, query.format(4100), batch_size=2500)]
    assert sizes == [2000, 2100]
    found = rows(read_query(database, query.format(4100)))
    assert [row["id"] for row in found] == [[n] for n in range(1, 4101)]
    assert [row["s"] for row in found] == [None] * 1500 + [[b"s"]] * 2600
    large = "SELECT id, zeroblob(1000000) AS b FROM g"
    query = "WITH RECURSIVE g(id) AS (" + numbers.format(150) + ") " + large
    sizes = [batch.num_rows for batch in read_query(database, query, batch_size=10)]
    assert sizes == [10] * 15


def test_large_rows_make_small_batches(tmp_path):
    path = str(tmp_path / "a.parquet")
    cells = [bytes([n]) * (1 << 20) for n in range(150)]
    pq.write_table(pa.table({"y": cells}), path, compression="none", use_dictionary=False)
    batches = list(read_parquet([path]))
    assert sum(batch.num_rows for batch in batches) == 150
    assert max(batch.num_rows for batch in batches) < 70


def test_colons_and_percents_are_no_parameters(database):
    query = "SELECT i FROM t WHERE s LIKE 's%' AND s <> ' :x' AND s = 's:2'"
    assert rows(read_query(database, query)) == [{"i": [2]}]


def test_query_faults_are_named(database, monkeypatch):
    with pytest.raises(QueryError, match="refused the query: no such table: nowhere\nQuery: SEL"):
        rows(read_query(database, "SELECT * FROM nowhere"))
    with pytest.raises(QueryError, match=r"Column 'x' holds values of different kinds"):
        rows(read_query(database, "SELECT 1 AS x UNION ALL SELECT 'a'"))
    with pytest.raises(QueryError, match=r"columns \['i'\] more than once"):
        rows(read_query(database, "SELECT i, i FROM t"))
    with pytest.raises(QueryError, match="returns no rows"):
        rows(read_query(database, "DELETE FROM t"))
    with pytest.raises(QueryError, match="Cannot use the database 'nonsense'"):
        rows(read_query("nonsense", "SELECT 1"))
    with pytest.raises(QueryError, match="variable PASSWORD_OF_NOBODY, which is not set"):
        expand_database("postgresql://me:${PASSWORD_OF_NOBODY}@host/d")
    monkeypatch.setenv("PASSWORD_OF_NOBODY", "secret")
    assert expand_database("x://me:${PASSWORD_OF_NOBODY}@h") == "x://me:secret@h"


def test_a_float_beyond_single_precision_is_refused(tmp_path):
    path = str(tmp_path / "big.parquet")
    pq.write_table(pa.table({"a": [1.5, 1e300]}), path)
    with pytest.raises(ParquetError, match=r"column 'a': .*1e\+300 is beyond the floats"):
        list(read_parquet([path]))
    pq.write_table(pa.table({"a": [1.5, float("inf")]}), path)
    assert next(read_parquet([path])).column("a").to_pylist() == [[1.5], [float("inf")]]


def test_large_integers_beside_floats_are_floats(tmp_path):
    import sqlite3

    with sqlite3.connect(tmp_path / "t.db") as connection:
        connection.execute("create table t(a)")
        connection.execute("insert into t values (9007199254740993), (2.5)")
    connection.close()
    batch = next(read_query(f"sqlite:///{tmp_path}/t.db", "select a from t"))
    assert batch.column("a").to_pylist() == [[9007199254740992.0], [2.5]]
