import csv as python_csv
import gzip
import io
import random
import zlib
from pathlib import Path

import pyarrow as pa
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from penstock.io.csv import reader as csv_reader
from penstock.io.csv import string_columns
from penstock.io.csv.cell_type import ColumnType, infer_cell_type
from penstock.io.csv.reader import CsvError, CsvFiles, read_csv
from penstock.io.csv.string_columns import split_cells
from penstock.io.csv.tolerant_parser import csv_records
from penstock.io.csv.type_inference import convert, infer_type
from penstock.io.ingestion.broken_rows import BrokenRow


@pytest.fixture
def csv(tmp_path):
    def write(content, name="data.csv"):
        path = tmp_path / name
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        return str(path)

    return write


def rows(*files, **options):
    return [row for batch in read_csv(list(files), **options) for row in batch.to_pylist()]


ODD = ["", "0", "-7", "+5", " 5", "1_0", "0x1F", "9223372036854775807", "9223372036854775808"]
ODD += ["-9223372036854775809", "1.5", "1e400", "nan", "nan(x)", "inf", "1e19", "abc", "٣", "1_0.5"]
ODD += ["1\xa0", "\x1f5", "٣.5"]


@settings(deadline=None)
@given(st.lists(st.sampled_from(ODD), min_size=1, max_size=6), st.integers(0, 6))
def test_inference_agrees_with_the_cell_by_cell_definition(cells, cut):
    expected = max(infer_cell_type(cell) for cell in cells)
    array = pa.array([cell or None for cell in cells], pa.string())
    assert infer_type(array) == expected
    first = infer_type(array.slice(0, cut))
    assert infer_type(array.slice(cut), first) == expected


@settings(deadline=None)
@given(st.lists(st.sampled_from([cell for cell in ODD if cell]), min_size=1, max_size=6))
def test_conversion_follows_python(cells):
    kind = max(infer_cell_type(cell) for cell in cells)
    values = convert(pa.array(cells), kind).to_pylist()
    if kind is ColumnType.INT:
        assert values == [int(cell) for cell in cells]
    elif kind is ColumnType.FLOAT:
        assert values == pa.array(map(float, cells)).cast(pa.float32(), safe=False).to_pylist() or (
            "nan" in cells
        )
    else:
        assert values == [cell.encode() for cell in cells]


def test_types_are_inferred_over_all_files(csv):
    one = csv("a,b,c,d\n1,2,x,\n", "1.csv")
    two = csv("a,b,c,d\n3,4.5,7,\n", "2.csv")
    (first, second) = rows(one, two)
    assert first == {"a": [1], "b": [2.0], "c": [b"x"], "d": None}
    assert second == {"a": [3], "b": [4.5], "c": [b"7"], "d": None}


def test_empty_cells_and_na_values_are_missing(csv):
    path = csv("a,b\n,NA\n3,x\n")
    assert rows(path, na_values=["NA"]) == [{"a": None, "b": None}, {"a": [3], "b": [b"x"]}]
    assert rows(path)[0] == {"a": None, "b": [b"NA"]}


def test_quotes_hold_delimiters_and_line_breaks(csv):
    path = csv('a,b\r\n"x, ""y""",1\r\n"two\nlines",2\r\n\r\n')
    assert rows(path) == [{"a": [b'x, "y"'], "b": [1]}, {"a": [b"two\nlines"], "b": [2]}]


def test_multivalent_columns_are_split(csv):
    path = csv("tags,n\n1|2,5\n,6\n3,7\n")
    found = rows(path, multivalent_columns=["tags"], secondary_delimiter="|")
    assert [row["tags"] for row in found] == [[1, 2], None, [3]]


@pytest.mark.parametrize(
    ("cell", "values"),
    [
        ("a|b", ["a", "b"]),
        ("|", ["", ""]),
        ('"a|b"|c', ["a|b", "c"]),
        ('x"y|"say ""so"""', ['x"y', 'say "so"']),
        ('"two\nlines"|c', ["two\nlines", "c"]),
        ('two\nlines|"c"', ["two\nlines", '"c"']),
    ],
)
def test_the_values_of_a_cell_may_be_quoted(cell, values):
    assert split_cells(pa.array([cell, None]), "|").to_pylist() == [values, None]
    assert split_cells(pa.array(["1", '"2"', cell]), "|").to_pylist() == [["1"], ["2"], values]


def test_digits_and_spaces_beyond_ascii_are_text(csv):
    path = csv("a,b,c\n٣,1\xa0,1\n٤,2, 2\n")
    assert rows(path)[0] == {"a": ["٣".encode()], "b": ["1\xa0".encode()], "c": [1]}


def test_other_delimiters_encodings_and_a_byte_order_mark(csv):
    latin = csv("name;n\nJos\xe9;1\n".encode("latin-1"))
    assert rows(latin, delimiter=";", encoding="latin-1")[0]["name"] == ["José".encode()]
    wide = csv("name,n\nJosé,1\n".encode("utf-16"))
    assert rows(wide, encoding="utf-16") == [{"name": ["José".encode()], "n": [1]}]
    assert rows(csv(b"\xef\xbb\xbfa,b\n1,2\n"))[0] == {"a": [1], "b": [2]}


def test_compressed_files_are_read_and_damage_is_named(csv):
    import bz2

    content = b"a,b\n" + b"".join(b"%d,%d\n" % (i, i * 7919 % 65537) for i in range(5000))
    assert len(rows(csv(gzip.compress(content), "d.csv.gz"))) == 5000
    assert len(rows(csv(bz2.compress(content), "d.csv.bz2"))) == 5000
    with pytest.raises(CsvError, match=r"cut\.csv\.gz, line \d+: truncated compressed file"):
        rows(csv(gzip.compress(content)[:-2000], "cut.csv.gz"))
    with pytest.raises(CsvError, match=r"no\.csv\.gz, line 1: damaged compressed file"):
        rows(csv(content, "no.csv.gz"))


def test_large_files_are_read_in_blocks(csv, monkeypatch):
    monkeypatch.setattr(string_columns, "_BLOCK_BYTES", 1000)
    monkeypatch.setattr(string_columns, "_BLOCK_BYTES_A_COLUMN", 0)
    monkeypatch.setattr(csv_reader, "_KEPT_BYTES", 2000)
    path = csv("a,b\n" + "".join(f"{i},{i / 2}\n" for i in range(2000)))
    batches = list(read_csv([path]))
    assert len(batches) > 5
    assert [row["a"] for batch in batches for row in batch.to_pylist()] == [
        [i] for i in range(2000)
    ]


def test_files_without_a_header(csv):
    source = CsvFiles([csv("1,x\n2,y\n")], column_names=["n", "s"])
    assert [row for b in source.read() for row in b.to_pylist()] == [
        {"n": [1], "s": [b"x"]},
        {"n": [2], "s": [b"y"]},
    ]


def test_one_file_is_read_with_the_types_of_all(csv):
    first, second = csv("n,s\n1,x\n", "a.csv"), csv("n,s\n2.5,3\n", "b.csv")
    types = CsvFiles([first, second]).infer_types()
    assert types == {"n": ColumnType.FLOAT, "s": ColumnType.STRING}
    assert [row for b in CsvFiles([second]).read(types) for row in b.to_pylist()] == [
        {"n": [2.5], "s": [b"3"]}
    ]


def test_a_cell_that_is_not_of_the_given_type_is_named(csv):
    source = CsvFiles([csv("a\nx\n")])
    with pytest.raises(CsvError, match=r"data\.csv: column 'a' .* type INT: .*'x'"):
        list(source.read({"a": ColumnType.INT}))


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", r"data\.csv: the file is empty"),
        (b"a,b\n", r"data\.csv: there is a header but no row"),
        (b"a,a\n1,2\n", r"data\.csv, line 1: the column names \['a'\] are repeated"),
        (b"a,,c\n1,2,3\n", r"data\.csv, line 1: column 2 has no name"),
        (b"a,b\n1,2\n3\n", r"data\.csv, line 3: expected 2 cells, .* got 1: \['3'\]"),
        (b"a,b\n1,2\n3,4,5\n", r"data\.csv, line 3: expected 2 cells, .* got 3"),
        (b'a,b\n"x\ny",2\n3\n', r"data\.csv, line 4: expected 2 cells"),
        (
            b"a,b\n1,2\n3,\xff\n",
            r"data\.csv, line 3, column 'b': byte b'\\xff' is not valid utf-8",
        ),
        (b'a,b\n1,2\n3,"4\n5,6\n', r"data\.csv, line 3: a quote is opened but not closed"),
        (b'a,b\n1,"2\n3,"4"\n', r"data\.csv, line 2: bad quoting"),
        (b"\xff,b\n1,2\n", r"data\.csv, line 1: byte b'\\xff' is not valid utf-8"),
    ],
)
def test_faults_are_named_with_file_and_line(csv, content, message):
    with pytest.raises(CsvError, match=message):
        rows(csv(content))


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("a,b\n1,2\n".encode("utf-16"), "is written in UTF-16: say encoding='utf-16'"),
        (gzip.compress(b"a,b\n1,2\n", mtime=0), "is gzipped: let its name end in .gz"),
        (b"PAR1\x15\x04\x15\n\0PAR1", "is a Parquet file"),
        (b"a,\0b\n1,2\n", "line 1: there are control characters among the column names"),
        (bytes(100), "line 1: there are control characters among the column names"),
    ],
)
def test_other_files_than_csv_are_told(csv, content, message):
    with pytest.raises(CsvError, match=r"data\.csv") as caught:
        rows(csv(content))
    assert message in str(caught.value)


def test_compressed_files_are_read_up_to_the_damage(csv):
    rng = random.Random(7)
    lines = [b"a,b\n", *[b"%d,%d\n" % (i, rng.getrandbits(60)) for i in range(20_000)]]
    deflate = zlib.compressobj(wbits=31)
    sound = deflate.compress(b"".join(lines[:9_001])) + deflate.flush(zlib.Z_FULL_FLUSH)
    rest = deflate.compress(b"".join(lines[9_001:])) + deflate.flush()
    told = []
    reserved_block_type = b"\7"
    damaged = csv(sound + reserved_block_type + rest[1:], "damaged.csv.gz")
    assert len(rows(damaged, on_broken=told.append)) == 9_000
    ((row,)) = told
    assert row.line == 9_002
    assert f"damaged compressed file, at offset {len(sound)} (" in row.reason
    packed = sound + rest
    told = []
    after = csv(packed + b"rubbish", "after.csv.gz")
    with pytest.raises(CsvError, match=rf"line 20002: the data after offset {len(packed)} is not"):
        rows(after)
    assert len(rows(after, on_broken=told.append)) == 20_000
    assert len(rows(csv(packed * 2 + bytes(512), "two.csv.gz"), on_broken=told.append)) == 40_001
    assert [row.line for row in told] == [20_002]


BROKEN = [
    (b"3\n", 3, None, "expected 2 cells"),
    (b"3,4,5\n", 3, None, "expected 2 cells"),
    (b'"x\ny",2,3\n', 3, None, "expected 2 cells"),
    (b'3,"4\n', 3, None, "bad quoting"),
    (b"\xfe,4\n", 3, "a", "not valid utf-8"),
    (b'3,"two\nlines \xfe"\n', 3, "b", "not valid utf-8"),
]


@pytest.mark.parametrize(("raw", "line", "column", "reason"), BROKEN)
def test_a_broken_row_can_be_left_out(csv, raw, line, column, reason):
    path = csv(b"a,b\n1,2\n" + raw + b'5,"six"\n')
    told = []
    assert rows(path, on_broken=told.append) == [
        {"a": [1], "b": [b"2"]},
        {"a": [5], "b": [b"six"]},
    ]
    ((row,)) = told
    assert (row.file, row.line, row.column, row.raw) == (path, line, column, raw)
    assert reason in row.reason


def test_broken_rows_of_large_files_are_told_of_once(csv, monkeypatch):
    monkeypatch.setattr(string_columns, "_BLOCK_BYTES", 1000)
    monkeypatch.setattr(string_columns, "_BLOCK_BYTES_A_COLUMN", 0)
    monkeypatch.setattr(csv_reader, "_KEPT_BYTES", 2000)
    body = "".join(f"{i},{i}\n" if i % 1000 else "x\n" for i in range(5000))
    told = []
    found = rows(csv("a,b\n" + body), csv("a,b\n1,2\n", "2.csv"), on_broken=told.append)
    assert [row.line for row in told] == [2, 1002, 2002, 3002, 4002]
    assert len(found) == 5000 - 5 + 1


def test_what_is_left_of_a_truncated_file_is_read(csv):
    content = b"a,b\n" + b"".join(b"%d,%d\n" % (i, i * 7919 % 65537) for i in range(5000))
    path = csv(gzip.compress(content)[:-2000], "cut.csv.gz")
    told = []
    found = rows(path, on_broken=told.append)
    assert 1000 < len(found) < 5000
    ((row,)) = told
    assert row.line == len(found) + 2
    assert "truncated compressed file" in row.reason
    assert content[sum(len(b"%d,%d\n" % (r["a"][0], r["b"][0])) for r in found) + 4 :].startswith(
        row.raw
    )


def test_a_file_of_broken_rows_only_is_an_error(csv):
    told = []
    with pytest.raises(CsvError, match=r"data\.csv: there is a header but no sound row"):
        rows(csv("a,b\n1\n2\n"), on_broken=told.append)
    assert [row.line for row in told] == [2, 3]


def test_quotes_within_cells_are_text(csv):
    path = csv('a,b\n5" pipe,1\n"quoted" and more,2\n')
    assert [row["a"] for row in rows(path)] == [[b'5" pipe'], [b"quoted and more"]]


def test_huge_cells(csv):
    huge = "x" * 10_000_000
    found = rows(csv(f'a,b\n"{huge}\n",1\n{huge},2\n'))
    assert [len(row["a"][0]) for row in found] == [10_000_001, 10_000_000]
    assert [row["b"] for row in found] == [[1], [2]]


def test_the_limits_of_int64(csv):
    path = csv(f"a,b\n{2**63 - 1},{2**63}\n{-(2**63)},1\n")
    assert rows(path) == [
        {"a": [2**63 - 1], "b": [str(2**63).encode()]},
        {"a": [-(2**63)], "b": [b"1"]},
    ]


CELLS = st.text(st.sampled_from('ab,"\n\r é;1'), max_size=6)


def as_strings(source):
    kinds = dict.fromkeys(source.read_header(), ColumnType.STRING)
    return [
        ["" if cell is None else cell[0].decode() for cell in row.values()]
        for batch in source.read(kinds)
        for row in batch.to_pylist()
    ]


@settings(deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.lists(CELLS, min_size=2, max_size=2), min_size=1, max_size=5), st.booleans())
def test_what_the_csv_module_writes_is_read(csv, table, quote_all):
    text = io.StringIO()
    quoting = python_csv.QUOTE_ALL if quote_all else python_csv.QUOTE_MINIMAL
    python_csv.writer(text, quoting=quoting).writerows([["k", "v"], *table])
    assert as_strings(CsvFiles([csv(text.getvalue())])) == table


@settings(deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.text(st.sampled_from('ab,"\n'), max_size=30))
def test_every_line_is_read_or_told_of(csv, body):
    path = csv("k,v\n0,0\n" + body)
    records = list(csv_records(path, ",", "utf-8"))
    broken = [record for record in records if isinstance(record, BrokenRow)]
    sound = [record.cells for record in records if not isinstance(record, BrokenRow)]
    told = []
    found = rows(path, on_broken=told.append)
    assert told == broken
    assert len(found) == len(sound) - 1
    if not broken:
        parsed = python_csv.reader(io.StringIO("k,v\n0,0\n" + body, newline=""))
        assert sound == [row for row in parsed if row]
        assert as_strings(CsvFiles([path])) == sound[1:]
    lines = {record.line: record for record in records}
    starts = {number for number, line in enumerate(body.splitlines(), start=3) if line}
    assert set(lines) - {1, 2} <= starts


def test_files_with_different_headers_are_refused(csv):
    one, two = csv("a,b\n1,2\n", "1.csv"), csv("b,a\n1,2\n", "2.csv")
    with pytest.raises(CsvError, match=r"2\.csv: its header \['b', 'a'\] differs from .*1\.csv"):
        rows(one, two)


def test_faulty_arguments_are_named():
    with pytest.raises(ValueError, match="Received: encoding='utf-99'"):
        CsvFiles(["a.csv"], encoding="utf-99")
    with pytest.raises(ValueError, match="go together"):
        CsvFiles(["a.csv"], secondary_delimiter="|")
    with pytest.raises(ValueError, match="at least one file"):
        CsvFiles([])


def test_a_missing_file_is_named():
    with pytest.raises(FileNotFoundError, match=r"nowhere\.csv"):
        rows("nowhere.csv")


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"delimiter": "||"}, "must be one character"),
        ({"column_names": ["x", "x"]}, r"\['x'\] come"),
    ],
)
def test_faulty_options_are_refused(options, message):
    with pytest.raises(ValueError, match=message):
        CsvFiles(["data.csv"], **options)


@pytest.mark.parametrize("delimiter", [";", "\t", "|"])
def test_another_delimiter_is_told(csv, delimiter):
    path = csv(f"a{delimiter}b\n1,5{delimiter}x\n2{delimiter}y\n")
    with pytest.raises(CsvError, match="the header is one cell, with") as caught:
        rows(path)
    assert f"say delimiter={delimiter!r}. Received: {f'a{delimiter}b'!r}" in str(caught.value)
    assert caught.value.delimiter == delimiter
    with pytest.raises(CsvError, match="say delimiter=','"):
        rows(csv("a,b\n1,2\n"), delimiter=";")


def test_a_single_column_may_hold_other_delimiters(csv):
    assert rows(csv("a;b\nx\ny;z\n")) == [{"a;b": [b"x"]}, {"a;b": [b"y;z"]}]


def test_one_file_may_be_given_alone_and_as_a_path(csv):
    path = csv("a,b\n1,2\n")
    assert rows(path) == [{"a": [1], "b": [2]}]
    for files in (path, Path(path), [Path(path)]):
        assert next(iter(read_csv(files))).num_rows == 1


def test_numbers_beyond_single_precision_are_said(tmp_path, caplog):
    (tmp_path / "a.csv").write_text("a\n1.5\n1e39\n")
    next(read_csv([str(tmp_path / "a.csv")]))
    assert "Numbers beyond 3.4e38, such as 1e+39, are infinite" in caplog.text


def test_a_value_missing_between_separators_is_said(tmp_path):
    (tmp_path / "a.csv").write_text("a\n1|2|\n")
    with pytest.raises(CsvError, match=r"column 'a' .* there is no value beside a '\|'"):
        list(
            read_csv([str(tmp_path / "a.csv")], multivalent_columns=["a"], secondary_delimiter="|")
        )
