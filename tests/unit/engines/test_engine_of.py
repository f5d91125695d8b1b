import logging
import types

import pytest

from penstock.components import CsvExampleGen
from penstock.data_validation import FeatureSkewDetector, StatsOptions
from penstock.engines import engine_of
from penstock.engines.local import LocalEngine
from penstock.engines.on_beam import BeamEngine
from penstock.io import ExamplesSplit
from penstock.testing import run_component


def context(*arguments, folder="."):
    return types.SimpleNamespace(
        beam_pipeline_args=arguments,
        node_id="n",
        run_id="r",
        pipeline_name="p",
        project_root=str(folder),
        working_dir=str(folder),
        log=logging.getLogger("test"),
    )


@pytest.mark.parametrize(
    "arguments", [(), ("--runner=DirectRunner",), ("--runner", "BundleBasedDirectRunner")]
)
def test_no_runner_and_beams_direct_one_mean_this_machine(arguments):
    assert isinstance(engine_of(context(*arguments)), LocalEngine)


def test_any_other_runner_means_beam():
    assert isinstance(engine_of(context("--runner=FnApiRunner")), BeamEngine)
    with pytest.raises(ValueError, match="DaskRunner is not offered"):
        engine_of(context("--runner=DaskRunner"))


def test_both_engines_have_the_methods_of_the_protocol():
    methods = {name for name in vars(LocalEngine) if not name.startswith("_")}
    assert methods == {name for name in vars(BeamEngine) if not name.startswith("_")} - {"of"}


@pytest.fixture
def examples(tmp_path):
    (tmp_path / "in").mkdir()
    (tmp_path / "in/rows.csv").write_text("id,x\n" + "".join(f"{n},{n * 0.5}\n" for n in range(50)))
    return run_component(CsvExampleGen(input_base=str(tmp_path / "in")), tmp_path / "gen")[
        "examples"
    ]


def test_both_engines_give_equal_results(examples, tmp_path):
    splits = ExamplesSplit.all_of(examples)
    engines = [engine_of(context(*a, folder=tmp_path)) for a in ((), ("--runner=FnApiRunner",))]
    local, beam = (
        {
            name: statistics.SerializeToString(deterministic=True)
            for name, statistics in engine.statistics(splits, StatsOptions(), str(tmp_path))
        }
        for engine in engines
    )
    assert local == beam
    compared = [
        engine.feature_skew(splits[0], splits[0], make_detector, str(tmp_path))
        for engine in engines
    ]
    assert compared[0].match_stats == compared[1].match_stats


def make_detector():
    return FeatureSkewDetector(("id",))


def test_lost_rows_are_an_error_on_both(examples, tmp_path):
    split = ExamplesSplit.of(examples, "train")
    short = ExamplesSplit("train", split.files, row_count=(split.row_count or 0) + 1)
    for arguments in ((), ("--runner=FnApiRunner",)):
        engine = engine_of(context(*arguments, folder=tmp_path))
        with pytest.raises(RuntimeError, match=r"row_counts\.json"):
            list(engine.statistics([short], StatsOptions(), str(tmp_path)))
