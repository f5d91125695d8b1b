import os

import pytest

from penstock.io import (
    Input,
    RangeConfig,
    RollingRange,
    Split,
    StaticRange,
    resolve_input,
)


@pytest.fixture
def base(tmp_path):
    def make(*names):
        for name in names:
            path = tmp_path / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text("x")
        return str(tmp_path)

    return make


def resolve(base, *patterns, range_config=None):
    splits = [Split(f"s{i}", pattern) for i, pattern in enumerate(patterns)]
    resolved = resolve_input(base, Input(splits), range_config)
    files = {n: [f.removeprefix(base + "/") for f in fs] for n, fs in resolved.files.items()}
    return files, resolved.span, resolved.version


def test_by_default_all_files_make_one_split(base):
    root = base("b.csv", "a.csv", ".hidden", "_SUCCESS", "folder/inside.csv")
    resolved = resolve_input(root)
    assert resolved.files == {"single_split": [f"{root}/a.csv", f"{root}/b.csv"]}
    assert resolved.span is None


def test_the_latest_span_and_its_latest_version_win(base):
    root = base("span-1/v9/d", "span-10/v1/d", "span-10/v2/d", "span-10/v2/e", "span-9/v3/d")
    assert resolve(root, "span-{SPAN}/v{VERSION}/*") == (
        {"s0": ["span-10/v2/d", "span-10/v2/e"]},
        10,
        2,
    )


def test_dates_are_days_since_1970(base):
    root = base("1970-01-02/d", "2024-02-29/d")
    assert resolve(root, "{YYYY}-{MM}-{DD}/*")[1] == 19782


def test_a_folder_may_have_an_odd_name(base):
    root = base("a[1]*/d.csv") + "/a[1]*"
    assert resolve_input(root).files == {"single_split": [f"{root}/d.csv"]}


@pytest.mark.parametrize(
    ("range_config", "span"),
    [
        (RangeConfig(static_range=StaticRange(2, 2)), 2),
        (RangeConfig(rolling_range=RollingRange(1)), 3),
        (RangeConfig(rolling_range=RollingRange(1, start_span_number=3)), 3),
    ],
)
def test_a_range_chooses_the_span(base, range_config, span):
    root = base("s1/d", "s2/d", "s3/d")
    assert resolve(root, "s{SPAN}/*", range_config=range_config)[1] == span


def test_a_width_means_exactly_so_many_digits(base):
    root = base("span01/d", "span02/d", "span3/d")
    assert resolve(root, "span{SPAN:2}/*")[:2] == ({"s0": ["span02/d"]}, 2)
    assert resolve(root, "span{SPAN:1}/*")[:2] == ({"s0": ["span3/d"]}, 3)
    with pytest.raises(FileNotFoundError, match="means exactly that many digits"):
        resolve(root, "span{SPAN:3}/*")


def test_the_latest_span_may_be_padded_without_a_width(base):
    root = base("span01/ver01/d", "span02/ver01/d", "span02/ver02/d")
    assert resolve(root, "span{SPAN}/ver{VERSION}/*") == ({"s0": ["span02/ver02/d"]}, 2, 2)


def test_a_number_written_in_two_ways_is_refused(base):
    root = base("span2/d", "span02/d", "span1/d")
    with pytest.raises(ValueError, match="one SPAN is written both '02' and '2'") as caught:
        resolve(root, "span{SPAN}/*")
    assert "by a width, such as {SPAN:2}" in str(caught.value)
    assert resolve(root, "span{SPAN:2}/*")[0] == {"s0": ["span02/d"]}


def test_the_span_of_a_static_range_is_filled_in(base):
    root = base("span01/d", "span2/d")
    one, two, hundred = (RangeConfig(static_range=StaticRange(n, n)) for n in (1, 2, 100))
    assert resolve(root, "span{SPAN:2}/*", range_config=one)[:2] == ({"s0": ["span01/d"]}, 1)
    assert resolve(root, "span{SPAN}/*", range_config=two)[:2] == ({"s0": ["span2/d"]}, 2)
    with pytest.raises(FileNotFoundError, match=r"padded with zeros needs its width") as caught:
        resolve(root, "span{SPAN}/*", range_config=one)
    assert "There: span 1; span 2." in str(caught.value)
    with pytest.raises(ValueError, match=r"span 100 has more digits than \{SPAN:2\}"):
        resolve(root, "span{SPAN:2}/*", range_config=hundred)
    beyond = RangeConfig(static_range=StaticRange(10**7, 10**7))
    with pytest.raises(ValueError, match="span 10000000 is not a calendar day"):
        resolve(root, "{YYYY}{MM}{DD}/*", range_config=beyond)


def test_widths_need_no_separator(base):
    assert resolve(base("1234/d", "1299/d"), "{SPAN:2}{VERSION:2}/*")[1:] == (12, 99)


def test_splits_must_agree_on_the_span(base):
    root = base("train/1/d", "train/2/d", "eval/1/d")
    with pytest.raises(ValueError, match="disagree on the span") as caught:
        resolve(root, "train/{SPAN}/*", "eval/{SPAN}/*")
    said = str(caught.value)
    assert f"s0: looked for {root}/train/{{SPAN}}/*, took span 2; there: span 1; span 2\n" in said
    assert f"s1: looked for {root}/eval/{{SPAN}}/*, took span 1; there: span 1\n" in said
    assert (
        resolve(
            root,
            "train/{SPAN}/*",
            "eval/{SPAN}/*",
            range_config=RangeConfig(static_range=StaticRange(1, 1)),
        )[1]
        == 1
    )


@pytest.mark.parametrize(
    ("pattern", "message"),
    [
        ("{SPAN}/{YYYY}-{MM}-{DD}", "both"),
        ("{YYYY}-{MM}/*", "needs all of"),
        ("{VERSION}/*", "needs {SPAN} or a date"),
        ("{SPAN}/{SPAN}", "is repeated"),
        ("{SPLIT}/*", "{SPLIT} is not a placeholder"),
        ("{SPAN:x}/*", "the width in {SPAN:x} must be a positive integer"),
        ("{SPAN}/{VERSION:0}/*", "the width in {VERSION:0} must be a positive integer"),
    ],
)
def test_faulty_patterns_are_refused(base, pattern, message):
    with pytest.raises(ValueError, match="Faulty split pattern") as caught:
        resolve(base("x"), pattern)
    assert message in str(caught.value)


def test_an_error_says_what_was_looked_for_and_what_is_there(base):
    root = base("data-1.txt", "data-2.txt")
    with pytest.raises(FileNotFoundError) as caught:
        resolve(root, "span-{SPAN}/*.csv")
    assert f"looked for {root}/span-{{SPAN}}/*.csv" in str(caught.value)
    assert "data-1.txt, data-2.txt" in str(caught.value)
    with pytest.raises(
        FileNotFoundError, match=r"data-7\.txt, found nothing\. There: span 1; span 2"
    ):
        resolve(root, "data-{SPAN}.txt", range_config=RangeConfig(static_range=StaticRange(7, 7)))
    late = RangeConfig(rolling_range=RollingRange(1, start_span_number=5))
    with pytest.raises(FileNotFoundError, match="with span 5 or later, found nothing"):
        resolve(root, "data-{SPAN}.txt", range_config=late)
    with pytest.raises(ValueError, match=r"a range_config needs \{SPAN\} or a date"):
        resolve(root, "data-1.txt", range_config=late)


@pytest.mark.parametrize(
    ("base_name", "pattern", "there"),
    [
        ("tarin", "*.csv", "/tarin does not exist. Did you mean 'train'?"),
        ("", "trian/*.csv", "/trian does not exist. Did you mean 'train'?"),
        ("", "train/rows.cvs", "/train: rows.csv. Did you mean 'rows.csv'?"),
        ("train", "*.parquet", "/train: rows.csv."),
        ("notes", "*", "/notes: .draft, _SUCCESS. Files whose names start with . or _ are not"),
        ("bare", "*", "/bare is empty, or not a folder."),
        ("train/rows.csv", "*", "/rows.csv is empty, or not a folder."),
    ],
)
@pytest.mark.parametrize("remote", [False, True])
def test_what_is_there_is_said_of_folders_and_urls(base, base_name, pattern, there, remote):
    root = base("train/rows.csv", "notes/.draft", "notes/_SUCCESS", "bare/below/x")
    os.remove(f"{root}/bare/below/x")
    os.rmdir(f"{root}/bare/below")
    root = f"file://{root}" if remote else root
    with pytest.raises(FileNotFoundError, match="found nothing") as caught:
        resolve_input(f"{root}/{base_name}", Input([Split("s", pattern)]))
    assert there in str(caught.value)


def test_splits_must_agree_on_the_version(base):
    root = base("train/1/v0/d", "train/1/v1/d", "eval/1/v0/d")
    with pytest.raises(ValueError, match="disagree on the span or version") as caught:
        resolve(root, "train/{SPAN}/v{VERSION}/*", "eval/{SPAN}/v{VERSION}/*")
    said = str(caught.value)
    assert "took span 1, version 1; there: span 1, version 0; span 1, version 1\n" in said
    assert "took span 1, version 0; there: span 1, version 0\n" in said


def test_splits_need_the_same_placeholders(base):
    root = base("train/1/d", "eval/d")
    with pytest.raises(ValueError, match=r"same placeholders\. Received: s0: train/\{SPAN\}"):
        resolve(root, "train/{SPAN}/*", "eval/*")


def test_the_first_version_is_zero(base):
    root = base("0/0/d", "0/1/d")
    assert resolve(root, "{SPAN}/{VERSION}/*") == ({"s0": ["0/1/d"]}, 0, 1)
    assert resolve(base("7/0/d"), "{SPAN}/{VERSION}/*") == ({"s0": ["7/0/d"]}, 7, 0)


def test_dates_with_versions_and_ranges(base):
    root = base("20260130/1/d", "20260130/2/d", "20260131/1/d")
    pattern = "{YYYY}{MM}{DD}/{VERSION}/*"
    assert resolve(root, pattern) == ({"s0": ["20260131/1/d"]}, 20484, 1)
    day = RangeConfig(static_range=StaticRange(20483, 20483))
    assert resolve(root, pattern, range_config=day) == ({"s0": ["20260130/2/d"]}, 20483, 2)


def test_ranges_of_several_spans_are_refused(base):
    root = base("1/d", "2/d")
    for config in (
        RangeConfig(static_range=StaticRange(1, 2)),
        RangeConfig(rolling_range=RollingRange(2)),
    ):
        with pytest.raises(ValueError, match="takes one span"):
            resolve(root, "{SPAN}/*", range_config=config)


def test_urls_are_resolved():
    import fsspec

    files = fsspec.filesystem("memory")
    files.pipe({"/spans/1/d.csv": b"", "/spans/2/d.csv": b""})
    resolved = resolve_input("memory://spans", Input([Split("s", "{SPAN}/*.csv")]))
    assert resolved.span == 2
    assert resolved.files["s"][0].endswith("spans/2/d.csv")


def test_brackets_of_a_name_that_exists_are_a_part_of_it(base):
    root = base("v[1]/a[2].csv", "v1/a2.csv", "v1/a3.csv")
    assert resolve(root, "v[1]/a[2].csv")[0] == {"s0": ["v[1]/a[2].csv"]}
    assert resolve(root, "v1/a[!3].csv")[0] == {"s0": ["v1/a2.csv"]}
    assert resolve(root, "v1/a[[3].csv")[0] == {"s0": ["v1/a3.csv"]}
