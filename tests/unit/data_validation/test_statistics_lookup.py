import pytest
from google.protobuf import text_format
from tensorflow_metadata.proto.v0 import path_pb2, schema_pb2, statistics_pb2

from penstock.data_validation import (
    DatasetListView,
    DatasetView,
    FeaturePath,
    compare_slices,
    generate_dummy_schema_with_paths,
    get_domain,
    get_feature,
    get_feature_stats,
    get_slice_stats,
    get_statistics_html,
    load_sharded_statistics,
    load_statistics,
    set_domain,
    validate_corresponding_slices,
    write_schema_text,
    write_stats_binary,
    write_stats_text,
)
from penstock.io.tfrecord.records import TFRecordWriter

TEXT = """
    datasets {
      name: "All Examples" num_examples: 3
      features { path { step: "fare" } type: INT num_stats {
        common_stats { num_non_missing: 3 min_num_values: 1 max_num_values: 1 } min: 1 max: 7 } }
      features { path { step: "trip" step: "city" } type: STRING
        string_stats { common_stats { num_non_missing: 2 } }
        custom_stats { name: "c" num: 4 } }
      features { path { step: "d" } type: INT validation_derived_source {
        deriver_name: "sum" source_path { step: "fare" } } }
      cross_features { path_x { step: "fare" } path_y { step: "d" } count: 3 }
    }
    datasets {
      name: "city_Bern" num_examples: 1
      features { path { step: "fare" } type: INT num_stats {
        common_stats { num_non_missing: 1 min_num_values: 1 max_num_values: 1 } min: 7 max: 7 } }
    }
"""


@pytest.fixture
def stats():
    return text_format.Parse(TEXT, statistics_pb2.DatasetFeatureStatisticsList())


def test_features_are_found_by_name_path_and_steps(stats):
    view = DatasetListView(stats).get_default_slice_or_die()
    assert view.get_feature("fare").numeric_statistics().max == 7
    for path in (("trip", "city"), ["trip", "city"], FeaturePath(["trip", "city"])):
        found = view.get_feature(path)
        assert found.common_statistics().num_non_missing == 2
        assert found.string_statistics() is not None
        assert found.numeric_statistics() is None
        assert found.custom_statistic("c").num == 4
        assert found.custom_statistic("zz") is None
    assert view.get_feature("zz") is None
    assert [str(path) for path in view.list_features()] == ["fare", "trip.city", "d"]
    assert view.get_cross_feature("fare", ("d",)).proto().count == 3
    assert view.get_derived_feature("sum", [("fare",)]).proto() == stats.datasets[0].features[2]
    assert view.get_derived_feature("sum", [("d",)]) is None


def test_slices_are_found_by_name(stats):
    view = DatasetListView(stats)
    assert list(view.list_slices()) == ["All Examples", "city_Bern"]
    assert view.get_slice("city_Bern").proto().num_examples == 1
    assert view.get_slice("zz") is None
    assert get_slice_stats(stats, "city_Bern").datasets[0] == stats.datasets[1]
    assert get_feature_stats(stats.datasets[1], FeaturePath(["fare"])).num_stats.min == 7
    with pytest.raises(
        ValueError, match=r"Received: 'zz'. Slices: \['All Examples', 'city_Bern'\]"
    ):
        get_slice_stats(stats, "zz")
    with pytest.raises(ValueError, match=r"zz not found in the dataset statistics.*\['fare'\]"):
        get_feature_stats(stats.datasets[1], "zz")
    assert "city_Bern" in compare_slices(stats, "city_Bern", "All Examples").html
    assert get_statistics_html(stats).startswith("<!doctype html>")


def test_what_is_ambiguous_is_refused(stats):
    stats.datasets[0].features.add().CopyFrom(stats.datasets[0].features[0])
    with pytest.raises(ValueError, match="Duplicate feature fare"):
        DatasetView(stats.datasets[0]).list_features()
    stats.datasets[1].name = "All Examples"
    with pytest.raises(ValueError, match="Duplicate slice name All Examples"):
        DatasetListView(stats).list_slices()
    stats.datasets[0].name, stats.datasets[1].name = "a", "b"
    with pytest.raises(ValueError, match="Missing default slice"):
        DatasetListView(stats).get_default_slice_or_die()
    stats.datasets[1].features.add(name="x")
    with pytest.raises(ValueError, match="either path or name within a Dataset"):
        DatasetView(stats.datasets[1]).get_feature("x")


def test_a_path_is_a_tuple_with_methods():
    path = FeaturePath(["trip", "city"])
    assert path == ("trip", "city") == path.steps()
    assert {path: 1}[("trip", "city")] == 1
    assert path.parent() == ("trip",)
    assert path.parent().child("city") == path == FeaturePath.from_string("trip.city")
    assert FeaturePath.from_proto(path.to_proto()) == path == FeaturePath.from_json(path.to_json())
    assert path.to_proto() == path_pb2.Path(step=["trip", "city"])
    assert (str(path), repr(path)) == ("trip.city", "FeaturePath(('trip', 'city'))")
    with pytest.raises(TypeError, match="Received: steps='trip'"):
        FeaturePath("trip")
    with pytest.raises(TypeError, match="Received: 7"):
        FeaturePath.from_json("7")
    with pytest.raises(ValueError, match="no parent"):
        FeaturePath([]).parent()


def test_statistics_are_read_whatever_their_form(stats, tmp_path):
    paths = [
        str(tmp_path / name) for name in ("s.pb", "plain", "s.pbtxt", "text", "s.tfrecord", "r")
    ]
    for path in paths[:2]:
        write_stats_binary(stats, path)
    for path in paths[2:4]:
        write_stats_text(stats, path)
    for path in paths[4:]:
        with TFRecordWriter(str(path), "") as writer:
            writer.write(stats.SerializeToString())
    assert [load_statistics(path) for path in paths] == [stats] * len(paths)
    (tmp_path / "odd").write_text("no statistics")
    with pytest.raises(ValueError, match="odd: not a DatasetFeatureStatisticsList text proto"):
        load_statistics(str(tmp_path / "odd"))
    with pytest.raises(TypeError, match="stats is of type str, should be a DatasetFeatureStat"):
        write_stats_text("x", str(tmp_path / "x"))


def test_parts_of_statistics_are_put_together(stats, tmp_path):
    for number, feature in enumerate(stats.datasets[0].features):
        part = statistics_pb2.DatasetFeatureStatistics(
            name="All Examples", num_examples=3, features=[feature]
        )
        path = tmp_path / f"stats-{number:05d}-of-00003"
        with TFRecordWriter(str(path), "") as writer:
            parts = statistics_pb2.DatasetFeatureStatisticsList(datasets=[part])
            writer.write(parts.SerializeToString())
    whole = load_sharded_statistics(str(tmp_path / "stats"))
    again = load_sharded_statistics(input_paths=[str(path) for path in tmp_path.iterdir()])
    assert whole.proto() == again.proto()
    view = whole.get_slice("All Examples")
    assert {str(path) for path in view.list_features()} == {"fare", "trip.city", "d"}
    assert view.proto().num_examples == 3
    with pytest.raises(ValueError, match="No files with statistics"):
        load_sharded_statistics(str(tmp_path / "zz"))
    with pytest.raises(ValueError, match="input_path_prefix or input_paths"):
        load_sharded_statistics()


def test_each_slice_is_checked_and_compared_with_its_like(stats):
    schema = text_format.Parse(
        """default_environment: "TRAINING"
           feature { name: "fare" type: INT int_domain { min: 1 max: 6 }
             drift_comparator { jensen_shannon_divergence { threshold: 0.1 } } }
           feature { name: "trip" lifecycle_stage: DEPRECATED }""",
        schema_pb2.Schema(),
    )
    del stats.datasets[0].features[1:]
    found = validate_corresponding_slices(stats, schema, "TRAINING")
    assert {key: info.short_description for key, info in found.anomaly_info.items()} == {
        "'slice(All Examples)::fare'": "Out-of-range values",
        "'slice(city_Bern)::fare'": "Out-of-range values",
    }
    one = statistics_pb2.DatasetFeatureStatisticsList(datasets=stats.datasets[:1])
    drift = validate_corresponding_slices(stats, schema, previous_statistics=one)
    types = [reason.type for reason in drift.anomaly_info["'slice(city_Bern)::fare'"].reason]
    assert len(types) == 2  # the previous statistics have no such slice
    del stats.datasets[0]
    stats.datasets.add(name="b")
    with pytest.raises(ValueError, match="Missing default slice"):
        validate_corresponding_slices(stats, schema)


def test_schemas_are_looked_up_by_path():
    schema = generate_dummy_schema_with_paths([("a",), FeaturePath(["b", "c"]), ("b", "d")])
    names = {f.name: [g.name for g in f.struct_domain.feature] for f in schema.feature}
    assert names == {"a": [], "b": ["c", "d"]}
    schema.feature[1].type = schema_pb2.STRUCT
    set_domain(schema, FeaturePath(["b", "c"]), schema_pb2.URLDomain())
    assert get_domain(schema, ("b", "c")) == schema_pb2.URLDomain()
    assert get_feature(schema, ["b", "d"]).name == "d"
    with pytest.raises(ValueError, match="Step a in feature a.x does not refer to a valid STRUCT"):
        get_feature(schema, ("a", "x"))
    with pytest.raises(TypeError, match="Could not set the domain of a STRUCT feature b"):
        set_domain(schema, "b", schema_pb2.IntDomain())
    with pytest.raises(ValueError, match="Feature a has no domain associated with it"):
        get_domain(schema, "a")
    for function, arguments in (
        (get_feature, ("a",)),
        (get_domain, ("a",)),
        (set_domain, ("a", schema_pb2.IntDomain())),
        (write_schema_text, ("x",)),
    ):
        with pytest.raises(TypeError, match="schema is of type dict, should be a Schema proto"):
            function({}, *arguments)
