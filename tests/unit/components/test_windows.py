from __future__ import annotations

import itertools

import numpy as np
import pytest

from penstock.components import CsvExampleGen, ParquetExampleGen, Windows
from penstock.io import ExamplesSplit
from penstock.testing import run_component
from penstock.testing.contract import check_component


def ingest(folder, text):
    (folder / "in").mkdir(parents=True)
    (folder / "in/rows.csv").write_text(text)
    return run_component(CsvExampleGen(input_base=str(folder / "in")), folder / "gen")["examples"]


def table(rows):
    return "t,shop,sales,price\n" + "".join(
        ",".join("" if cell is None else str(cell) for cell in row) + "\n" for row in rows
    )


def two_shops():
    """Two shops of 60 and 45 days; the second has no row on day 20, and no sales on day 30."""
    rows = [(day, "b", day * 1.0, 5) for day in range(60)]
    rows += [(day, "a", 1000.0 + day, day % 7) for day in range(45) if day != 20]
    return [(*row[:2], None, row[3]) if row[:2] == (30, "a") else row for row in rows]


@pytest.fixture
def shops(tmp_path):
    return ingest(tmp_path / "shops", table(two_shops()))


def rows_of(windows):
    return {
        split.name: [row for batch in split.batches() for row in batch.to_pylist()]
        for split in ExamplesSplit.all_of(windows)
    }


def by_hand(width, horizon, delay, boundaries, shared):
    """Return the windows of the two shops, row by row: (split, shop, last input, sales, targets)."""
    there = {(shop, t): sales for t, shop, sales, _ in two_shops() if sales is not None}
    found = []
    for shop, first in itertools.product("ab", range(60)):
        inputs = range(first, first + width)
        targets = range(first + width + delay, first + width + delay + horizon)
        if not all((shop, t) in there for t in (*inputs, *targets)):
            continue
        # No window reaches across a gap, not even with its delay.
        if shop == "a" and 20 in range(first, targets[-1] + 1):
            continue
        begins = targets[0] if shared else first
        split = sum(begins >= boundary for boundary in boundaries)
        if split == sum(targets[-1] >= boundary for boundary in boundaries):
            found.append(
                (split, shop, inputs[-1], [there[shop, t] for t in inputs],
                 [there[shop, t] for t in targets])
            )  # fmt: skip
    return sorted(found)


@pytest.mark.parametrize("shared", [True, False])
@pytest.mark.parametrize(("width", "horizon", "delay"), [(4, 2, 0), (3, 1, 2), (1, 1, 0)])
def test_windows_are_those_found_by_hand(shops, tmp_path, width, horizon, delay, shared):
    windows = run_component(
        Windows(
            examples=shops,
            time_key="t",
            series_key="shop",
            features=["sales"],
            input_width=width,
            horizon=horizon,
            delay=delay,
            split_times={"train": None, "eval": 28, "test": 36},
            shared_history=shared,
        ),
        tmp_path / "out",
    )["windows"]
    found = [
        (number, row["shop"][0].decode(), row["t"][0], row["sales"], row["sales_target"])
        for number, rows in enumerate(rows_of(windows).values())
        for row in rows
    ]
    assert found == by_hand(width, horizon, delay, [28, 36], shared)
    assert len(found) > 30


def test_no_target_of_a_split_is_seen_by_an_earlier_one(shops, tmp_path):
    windows = run_component(
        Windows(
            examples=shops, time_key="t", series_key="shop", features=["sales", "price"],
            targets=["sales"], input_width=3, horizon=2, splits={"train": 0.5, "eval": 0.2, "test": 0.3},
        ),
        tmp_path / "out",
    )["windows"]  # fmt: skip
    rows = rows_of(windows)
    assert list(rows) == ["train", "eval", "test"]
    assert set(rows["train"][0]) == {"t", "shop", "sales", "price", "sales_target"}
    # In shop b the sales are the day.
    days = {
        split: [
            (row["sales"] + row["sales_target"], row["sales_target"])
            for row in of
            if row["shop"] == [b"b"]
        ]
        for split, of in rows.items()
    }
    assert max(max(seen) for seen, _ in days["train"]) < 30 <= min(t[0] for _, t in days["eval"])
    assert max(max(seen) for seen, _ in days["eval"]) < 42 <= min(t[0] for _, t in days["test"])


def test_missing_values_are_carried_into_inputs_alone(shops, tmp_path):
    windows = run_component(
        Windows(
            examples=shops, time_key="t", series_key="shop", features=["sales"], input_width=2,
            carry_forward=1, splits={"all": 1.0},
        ),
        tmp_path / "out",
    )["windows"]  # fmt: skip
    found = {row["t"][0]: row for row in rows_of(windows)["all"] if row["shop"] == [b"a"]}
    assert found[20]["sales"] == [1019.0, 1019.0]
    assert found[30]["sales"] == [1029.0, 1029.0]
    targets = [value for row in found.values() for value in row["sales_target"]]
    assert 1021.0 in targets
    assert not {1019.0 + 1, 1030.0} & set(targets)
    assert len(targets) == len(set(targets))


def test_dates_one_series_strides_and_shapes_in_the_schema(tmp_path):
    days = np.datetime64("2001-01-01") + 7 * np.arange(50)
    examples = ingest(
        tmp_path, "date,co2\n" + "".join(f"{day},{n}\n" for n, day in enumerate(days))
    )
    windows = run_component(
        Windows(
            examples=examples, time_key="date", features=["co2"], input_width=5, horizon=2, stride=3,
            step="7D", splits={"train": 0.6, "test": 0.4}, gaps="refuse",
        ),
        tmp_path / "out",
    )["windows"]  # fmt: skip
    rows = rows_of(windows)
    assert [row["co2"][0] for row in rows["train"]] == list(range(0, 24, 3))
    assert rows["train"][1] == {
        "date": [str(days[7]).encode()],
        "co2": [3.0, 4.0, 5.0, 6.0, 7.0],
        "co2_target": [8.0, 9.0],
    }


def test_months_of_parquet_and_a_column_of_integers(tmp_path):
    import pyarrow as pa
    import pyarrow.parquet as pq

    months = np.arange("2001-01", "2003-07", dtype="datetime64[M]").astype(str)
    (tmp_path / "in").mkdir()
    columns = {"month": months.tolist(), "visits": np.arange(30), "share": [None, *range(29)]}
    pq.write_table(pa.table(columns), tmp_path / "in/rows.parquet")
    generator = ParquetExampleGen(input_base=str(tmp_path / "in"), output_file_format="parquet")
    examples = run_component(generator, tmp_path / "gen")["examples"]
    component = Windows(
        examples=examples, time_key="month", features=["visits", "share"], targets=["visits"],
        input_width=3, step="1M", gaps="split", splits={"train": 0.6, "test": 0.4},
    )  # fmt: skip
    windows = run_component(component, tmp_path / "out")["windows"]
    assert windows.file_format == "parquet"
    first = rows_of(windows)["train"][0]
    assert first["visits"] == [1.0, 2.0, 3.0]
    assert first["visits_target"] == [4.0]
    assert first["month"] == [b"2001-04"]


def test_a_long_series_is_written_in_parts(tmp_path):
    examples = ingest(tmp_path, "t,x\n" + "".join(f"{t},{t % 97}\n" for t in range(0, 40_000, 2)))
    component = Windows(
        examples=examples, time_key="t", features=["x"], input_width=4, splits={"all": 1.0}
    )
    windows = run_component(component, tmp_path / "out")["windows"]
    batches = ExamplesSplit.of(windows, "all").batches(columns=["t", "x", "x_target"])
    read = [batch.to_pydict() for batch in batches]
    times = [t[0] for batch in read for t in batch["t"]]
    assert times == list(range(6, 39_998, 2))
    seen = [x for batch in read for x in batch["x"]]
    told = [x for batch in read for x in batch["x_target"]]
    assert seen[12_345] == [float(2 * n % 97) for n in range(12_345, 12_349)]
    assert told[12_345] == [float(2 * 12_349 % 97)]


def test_the_contract(shops, tmp_path):
    component = Windows(
        examples=shops, time_key="t", series_key="shop", features=["sales"], input_width=2
    )
    check_component(component, tmp_path / "work")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"gaps": "refuse"}, r"The rows of series b'a' have 1 gap in time, the first from 19 to 21"),
        ({"gaps": "refuse", "carry_forward": 1}, r"Column 'sales' of series b'a' has 2 missing values"),
        ({"series_key": ""}, r"Two rows have the same time, 0\. Name the column .* series_key"),
        ({"features": ["shop"]}, r"Windows hold numbers\. Column 'shop' holds large_binary"),
        ({"features": ["sale"]}, r"has no column 'sale'\. Columns: \["),
        ({"input_width": 50}, r"Split 'train' gets no window: one is 51 steps long"),
        ({"step": "1D"}, r"Column 't' holds numbers, which need a number as step"),
    ],
)  # fmt: skip
def test_series_that_cannot_be_cut_are_refused(shops, tmp_path, arguments, message):
    given = {"series_key": "shop", "features": ["sales"], "input_width": 2, **arguments}
    with pytest.raises(Exception, match=message):
        run_component(Windows(examples=shops, time_key="t", **given), tmp_path / "out")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"input_width": 0}, r"input_width must be 1 or more. Received: input_width=0"),
        ({"gaps": "fill"}, r'gaps is "split" or "refuse". Received: gaps=\'fill\''),
        ({"features": []}, r"features are the names of columns, each once"),
        ({"splits": {"train": 0.7, "test": 0.2}}, r"splits are shares above 0 that make 1 together"),
        ({"splits": {"a": 1.0}, "split_times": {"a": None}}, r"Received: both"),
        ({"split_times": {"a": None, "b": 5, "c": 5}}, r"each later than the one before"),
        ({"split_times": {"a": 1, "b": 5}}, r"The first split begins where the data begin"),
    ],
)  # fmt: skip
def test_mistakes_are_errors_where_the_component_is_made(shops, arguments, message):
    given = {"time_key": "t", "features": ["sales"], "input_width": 2, **arguments}
    with pytest.raises(ValueError, match=message):
        Windows(examples=shops, **given)
