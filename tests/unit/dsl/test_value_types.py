import numpy as np
import numpy.typing as npt
import pandas as pd
import pyarrow as pa
import pytest

from penstock import Pipeline, component
from penstock.artifacts import Array, Integer, Table
from penstock.components import CsvExampleGen
from penstock.dsl import DefinitionError, ParameterError, WiringError
from penstock.runners.local import LocalDagRunner
from penstock.runners.result import NodeState
from penstock.testing import run_component

FRAME = pd.DataFrame({"city": ["Oslo", "Rome"], "trips": [12, 7]}, index=[3, 5])


@component
def trips() -> pd.DataFrame:
    return FRAME


@component
def busy(frame: pd.DataFrame, least: int = 10) -> pa.Table:
    return pa.Table.from_pandas(frame[frame.trips >= least])


@component
def counts(table: pa.Table) -> npt.NDArray[np.int64]:
    return np.asarray(table.column("trips"))


@component
def total(array: np.ndarray, batch: pa.RecordBatch | None = None) -> int:
    return int(array.sum()) + (0 if batch is None else batch.num_rows)


def test_data_is_handed_from_function_to_function(tmp_path):
    first = trips()
    second = busy(frame=first.outputs["result"])
    third = counts(table=second.outputs["result"])
    last = total(array=third.outputs["result"], batch=first.outputs["result"])
    pipeline = Pipeline(
        "trips", components=[first, second, third, last], pipeline_root=str(tmp_path)
    )
    runner = LocalDagRunner(in_process=True, store=str(tmp_path / "store.db"), progress="none")
    result = runner.run(pipeline)
    assert result.artifact("total", "result").value == 14
    again = runner.run(pipeline)
    assert {str(node.state) for node in again.nodes.values()} == {str(NodeState.CACHED)}


def test_a_frame_comes_back_as_it_was(tmp_path):
    table = run_component(trips(), tmp_path)["result"]
    assert isinstance(table, Table)
    pd.testing.assert_frame_equal(table.value.to_pandas(), FRAME)


def test_equal_frames_give_equal_bytes(tmp_path):
    assert Table(str(tmp_path)).encode(FRAME) == Table(str(tmp_path)).encode(FRAME.copy())


def test_what_cannot_be_stored_is_named(tmp_path):
    mixed = pd.DataFrame({"city": ["Oslo", 3]})
    with pytest.raises(ValueError, match=r"has no type in Parquet: .*column city"):
        Table(str(tmp_path)).value = mixed
    with pytest.raises(
        TypeError, match=r"Table takes a pandas DataFrame or a pyarrow Table\. Received: list"
    ):
        Table(str(tmp_path)).value = [1]
    with pytest.raises(
        TypeError, match="Array takes a NumPy array of numbers, strings or booleans"
    ):
        Array(str(tmp_path)).value = np.array([object()])


def test_wiring_and_data_in_place_of_channels_are_refused():
    with pytest.raises(
        WiringError, match=r"counts\(table=\.\.\.\) takes Table, a channel of Table"
    ):
        counts(table=Integer("somewhere"))
    with pytest.raises(ParameterError, match="takes the channel of an output"):
        counts(table=pa.table({"trips": [1]}))

    @component
    def unknown() -> set: ...

    with pytest.raises(
        DefinitionError, match=r"returns int, float, str, .*a DataFrame, an Arrow table"
    ):
        unknown()


def test_an_artifact_without_a_value_is_told_how_to_be_read():
    examples = CsvExampleGen(input_base="data").outputs["examples"]
    with pytest.raises(WiringError, match=r"annotate table: Input\[Examples\]\.$"):
        counts(table=examples)
