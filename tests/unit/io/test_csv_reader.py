import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from penstock.io import csv_reader
from penstock.io.csv_reader import CsvError, CsvFiles, read_csv
from penstock.io.csv_types import ColumnType, convert, infer_cell_type, infer_type


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


def test_other_delimiters_encodings_and_a_byte_order_mark(csv):
    latin = csv("name;n\nJos\xe9;1\n".encode("latin-1"))
    assert rows(latin, delimiter=";", encoding="latin-1")[0]["name"] == ["José".encode()]
    wide = csv("name,n\nJosé,1\n".encode("utf-16"))
    assert rows(wide, encoding="utf-16") == [{"name": ["José".encode()], "n": [1]}]
    assert rows(csv(b"\xef\xbb\xbfa,b\n1,2\n"))[0] == {"a": [1], "b": [2]}


def test_compressed_files_are_read_and_damage_is_named(csv):
    import bz2
    import gzip

    content = b"a,b\n" + b"".join(b"%d,%d\n" % (i, i * 7919 % 65537) for i in range(5000))
    assert len(rows(csv(gzip.compress(content), "d.csv.gz"))) == 5000
    assert len(rows(csv(bz2.compress(content), "d.csv.bz2"))) == 5000
    with pytest.raises(CsvError, match=r"cut\.csv\.gz.*(damaged|cannot be read)"):
        rows(csv(gzip.compress(content)[:-2000], "cut.csv.gz"))
    with pytest.raises(CsvError, match=r"no\.csv\.gz: cannot be read: Not a gzipped file"):
        rows(csv(content, "no.csv.gz"))


def test_large_files_are_read_in_blocks(csv, monkeypatch):
    monkeypatch.setattr(csv_reader, "_BLOCK_BYTES", 1000)
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


def test_a_cell_that_is_not_of_the_given_type_is_named(csv):
    source = CsvFiles([csv("a\nx\n")])
    with pytest.raises(CsvError, match=r"data\.csv: column 'a' .* type INT: .*'x'"):
        list(source.read({"a": ColumnType.INT}))


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", r"data\.csv: the file is empty"),
        (b"a,b\n", r"data\.csv: there is a header but no row"),
        (b"a,a\n1,2\n", r"data\.csv, line 1: the column names \['a'\] come more than once"),
        (b"a,,c\n1,2,3\n", r"data\.csv, line 1: column 2 has no name"),
        (b"a,b\n1,2\n3\n", r"data\.csv, line 3: expected 2 cells, .* got 1: \['3'\]"),
        (b"a,b\n1,2\n3,4,5\n", r"data\.csv, line 3: expected 2 cells, .* got 3"),
        (b'a,b\n"x\ny",2\n3\n', r"data\.csv, line 4: expected 2 cells"),
        (
            b"a,b\n1,2\n3,\xff\n",
            r"data\.csv, line 3: byte b'\\xff' at position 2 is not valid utf-8",
        ),
        (b"\xff,b\n1,2\n", r"data\.csv, line 1: byte b'\\xff' at position 0"),
    ],
)
def test_faults_are_named_with_file_and_line(csv, content, message):
    with pytest.raises(CsvError, match=message):
        rows(csv(content))


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
