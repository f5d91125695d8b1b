from penstock.data_validation import (
    detect_feature_skew,
    get_confusion_count_dataframes,
    get_match_stats_dataframe,
    get_skew_result_dataframe,
)
from penstock.io.examples.messages import example_class


def example(identifier, city, fare):
    message = example_class()()
    for name, value in (("id", identifier), ("city", city)):
        message.features.feature[name].bytes_list.value.append(value)
    message.features.feature["fare"].int64_list.value.append(fare)
    return message.SerializeToString()


BASE = [example(b"%d" % i, city, 1) for i, city in enumerate([b"Bern", b"Bern", b"Bern", b"Oslo"])]
TEST = [example(b"%d" % i, city, 2) for i, city in enumerate([b"Bern", b"Oslo", b"Rome", b"Rome"])]


def test_what_a_comparison_found_as_tables():
    found = detect_feature_skew(BASE, TEST[:3], ["id"], confusion_features=["city"])
    skew = get_skew_result_dataframe(reversed(found.skew))
    assert skew[
        ["feature_name", "match_count", "mismatch_count", "diff_count"]
    ].values.tolist() == [
        ["city", 1, 2, 2],
        ["fare", 0, 3, 3],
    ]
    (matches,) = get_match_stats_dataframe(found.match_stats).to_dict("records")
    assert (matches["matching_pairs_count"], matches["ids_missing_in_test_count"]) == (3, 1)
    assert list(get_skew_result_dataframe([]).columns) == list(skew.columns)


def test_values_that_became_others_with_how_often_each_stands_on_its_side():
    found = detect_feature_skew(BASE, TEST, ["id"], confusion_features=["city"])
    (table,) = get_confusion_count_dataframes(found.confusion).values()
    assert table.to_dict("split", index=False) == {
        "columns": ["Base value", "Test value", "Pair count", "Base count", "Test count"],
        "data": [
            [b"Bern", b"Oslo", 1, 3, 1],
            [b"Bern", b"Rome", 1, 3, 2],
            [b"Oslo", b"Rome", 1, 1, 2],
        ],
    }
