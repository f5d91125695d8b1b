"""Generators of one's own, also such as were written for TFDV."""

import dataclasses
import pickle

import pyarrow as pa
import pytest
from google.protobuf import text_format
from tensorflow_metadata.proto.v0 import schema_pb2, statistics_pb2

from penstock import data_validation as dv
from penstock.data_validation.statistics.generate import SlicedStatistics
from penstock.data_validation.statistics.shard_parts import Part
from penstock.data_validation.statistics.shards import statistics_of_parts

BATCH = pa.record_batch({"a": [[1], [2]], "b": [["x"], ["y"]]})


class Rows(dv.CombinerStatsGenerator):
    """Counts rows, with all that TFDV's generators may have."""

    def __init__(self):
        super().__init__("Rows", schema_pb2.Schema())
        assert (self.name, self.schema) == ("Rows", schema_pb2.Schema())

    def setup(self):
        assert not hasattr(self, "plus")
        self.plus = lambda a, b: a + b  # cannot be pickled

    def create_accumulator(self):
        return [0]

    def add_input(self, accumulator, batch):
        return [*accumulator, self.plus(0, batch.num_rows)]

    def compact(self, accumulator):
        return [sum(accumulator)]

    def merge_accumulators(self, accumulators):
        parts = list(accumulators)
        assert all(len(part) == 1 for part in parts)
        return [self.plus(parts[0][0], parts[1][0])]

    def extract_output(self, accumulator):
        (rows,) = accumulator
        result = statistics_pb2.DatasetFeatureStatistics()
        result.features.add(path={"step": ["a"]}).custom_stats.add(name="rows", num=rows)
        return result


@dataclasses.dataclass
class Paths(dv.CombinerFeatureStatsGenerator):
    """Notes paths; says nothing of TFDV's `super().__init__(name)`."""

    separator: str

    def create_accumulator(self):
        return set()

    def add_input(self, accumulator, path, array):
        return accumulator | {self.separator.join(path.steps()), str(path.child("c"))}

    def merge_accumulators(self, accumulators):
        return set().union(*accumulators)

    def extract_output(self, accumulator):
        result = statistics_pb2.FeatureNameStatistics()
        result.custom_stats.add(name="paths", str=" ".join(sorted(accumulator)))
        return result


def custom(statistics, dataset=0):
    features = statistics.datasets[dataset].features
    return {(f.path.step[0], s.name): s.num or s.str for f in features for s in f.custom_stats}


def read():
    yield BATCH
    yield BATCH


@pytest.mark.parametrize("processes", [1, 2])
def test_generators_in_tfdvs_style(processes):
    options = dv.StatsOptions(generators=[Rows(), Paths("/")])
    parts = [Part(0, read), Part(4, read)]
    found = custom(statistics_of_parts(parts, options, processes=processes))
    assert found == {("a", "rows"): 8, ("a", "paths"): "a a.c", ("b", "paths"): "b b.c"}


def test_generators_on_slices_and_after_pickling():
    kernel = SlicedStatistics(dv.StatsOptions(generators=[Rows()], slicing_config=[{"b": ["x"]}]))
    kernel.add(BATCH)
    other = pickle.loads(pickle.dumps(kernel))
    other.add(BATCH)
    kernel.merge(other)
    assert custom(kernel.result())["a", "rows"] == 6
    assert custom(kernel.result(), 1)["a", "rows"] == 3


def test_what_only_looks_like_a_generator_is_refused():
    class Alike:
        add_input = merge_accumulators = create_accumulator = extract_output = None

    with pytest.raises(TypeError, match="must derive from CombinerStatsGenerator"):
        dv.statistics_of_record_batches([BATCH], dv.StatsOptions(generators=[Alike()]))


LIFT = pa.record_batch(
    {
        "x": [["x"], ["x"], ["y"], ["x"]],
        "z": [["x"], ["x"], ["y"], ["x"]],
        "label": [["cat"], ["dog"], ["cat"], ["dog"]],
        "own": [[0.1], [0.1], [0.5], [0.2]],
        "w": [[0.5], [0.5], [2.0], [1.0]],
    }
)


@pytest.mark.parametrize(
    ("weight", "overrides", "x", "z", "cats"),
    [
        ("w", {("x",): "own"}, {"y": 0.5, "x": 0.4}, {"y": 2, "x": 2}, 2.5),
        ("w", {"label": "own"}, {"y": 2, "x": 2}, {"y": 2, "x": 2}, 0.6),
        (None, {"x": "own"}, {"y": 0.5, "x": 0.4}, {"y": 1, "x": 3}, 2),
        ("w", {}, {"y": 2, "x": 2}, {"y": 2, "x": 2}, 2.5),
    ],
)
def test_lift_by_weights_of_single_features(weight, overrides, x, z, cats):
    schema = text_format.Parse(
        "feature { name: 'x' type: BYTES } feature { name: 'z' type: BYTES } feature { name: 'label' type: BYTES }",
        schema_pb2.Schema(),
    )
    options = dv.StatsOptions(
        schema=schema,
        label_feature="label",
        weight_feature=weight,
        per_feature_weight_override=overrides,
    )
    found = dv.statistics_of_record_batches([LIFT], options).datasets[0].cross_features
    for cross, expected in zip(found, (x, z), strict=True):
        series = {
            s.y_string: s
            for s in cross.categorical_cross_stats.lift.lift_series
            if s.weighted_y_count
        }
        counts = {v.x_string: v.weighted_x_count for v in series["cat"].lift_values}
        assert counts == pytest.approx(expected)
        assert series["cat"].weighted_y_count == pytest.approx(cats)


@pytest.mark.parametrize(
    ("values", "domain"),
    [
        ([7305, 21914], "time_domain {integer_format: 5}"),
        ([7304, 21915], None),
        ([631_152_000, 1_893_455_999], "time_domain {integer_format: 1}"),
        (
            [b"Fri Nov 30 10:47:02 2018", b"Sat Dec  1 00:00:00 2018"],
            "time_domain {string_format: '%a %b %d %H:%M:%S %Y'}",
        ),
        ([b"Fry Nov 30 10:47:02 2018"], None),
    ],
)
def test_times_are_recognized(values, domain):
    column = [[value] for value in values * (120 // len(values))]
    found = dv.statistics_of_record_batches(
        [pa.record_batch({"t": column})], dv.StatsOptions(generators=[dv.TimeStats()])
    )
    said = [s.str for s in found.datasets[0].features[0].custom_stats if s.name == "domain_info"]
    assert said == ([domain] if domain else [])
