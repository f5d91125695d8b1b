"""Every public name of TFDV 1.21 is here, with its parameters, or says where to go."""

import inspect

import pytest

from penstock import beam, data_validation

# A name of a function and the names of its parameters, in order.
FUNCTIONS = {
    "compare_slices": "statistics lhs_slice_key rhs_slice_key",
    "default_sharded_output_suffix": "",
    "default_sharded_output_supported": "",
    "display_anomalies": "anomalies",
    "display_schema": "schema",
    "experimental_get_feature_value_slicer": "features",
    "generate_dummy_schema_with_paths": "paths",
    "generate_statistics_from_csv": (
        "data_location column_names delimiter output_path stats_options pipeline_options "
        "compression_type"
    ),
    "generate_statistics_from_dataframe": "dataframe stats_options n_jobs",
    "generate_statistics_from_tfrecord": (
        "data_location output_path stats_options pipeline_options"
    ),
    "get_confusion_count_dataframes": "confusion",
    "get_domain": "schema feature_path",
    "get_feature": "schema feature_path",
    "get_feature_stats": "stats feature_path",
    "get_match_stats_dataframe": "match_stats",
    "get_skew_result_dataframe": "skew_results",
    "get_slice_stats": "stats slice_key",
    "get_statistics_html": (
        "lhs_statistics rhs_statistics lhs_name rhs_name allowlist_features denylist_features"
    ),
    "infer_schema": (
        "statistics infer_feature_shape max_string_domain_size schema_transformations"
    ),
    "load_anomalies_text": "input_path",
    "load_schema_text": "input_path",
    "load_sharded_statistics": "input_path_prefix input_paths",
    "load_statistics": "input_path",
    "load_stats_binary": "input_path",
    "load_stats_text": "input_path",
    "set_domain": "schema feature_path domain",
    "update_schema": "schema statistics infer_feature_shape max_string_domain_size",
    "validate_corresponding_slices": (
        "statistics schema environment previous_statistics serving_statistics"
    ),
    "validate_examples_in_csv": (
        "data_location stats_options column_names delimiter output_path pipeline_options "
        "num_sampled_examples"
    ),
    "validate_examples_in_tfrecord": (
        "data_location stats_options output_path pipeline_options num_sampled_examples"
    ),
    "validate_statistics": "statistics schema environment previous_statistics serving_statistics",
    "visualize_statistics": (
        "lhs_statistics rhs_statistics lhs_name rhs_name allowlist_features denylist_features"
    ),
    "write_anomalies_text": "anomalies output_path",
    "write_schema_text": "schema output_path",
    "write_stats_text": "stats output_path",
}
# A class and its public methods.
CLASSES = {
    "CombinerStatsGenerator": "add_input create_accumulator extract_output merge_accumulators",
    "CrossFeatureView": "proto",
    "DatasetListView": "get_default_slice get_default_slice_or_die get_slice list_slices proto",
    "DatasetView": (
        "get_cross_feature get_derived_feature get_feature list_cross_features list_features proto"
    ),
    "FeaturePath": ("child from_json from_proto from_string parent steps to_json to_proto"),
    "FeatureView": (
        "bytes_statistics common_statistics custom_statistic numeric_statistics proto "
        "string_statistics struct_statistics"
    ),
    "StatsOptions": "",
}
ON_BEAM = {
    "DetectFeatureSkew": (
        "identifier_features features_to_ignore sample_size float_round_ndigits "
        "allow_duplicate_identifiers"
    ),
    "GenerateStatistics": "options",
    "WriteStatisticsToBinaryFile": "output_path",
    "WriteStatisticsToTFRecord": "output_path",
}
REFUSING = {
    "MergeDatasetFeatureStatisticsList": "load_sharded_statistics",
    "TransformStatsGenerator": "derive from CombinerStatsGenerator",
    "WriteStatisticsToRecordsAndBinaryFile": "see WriteStatisticsToBinaryFile",
    "custom_validate_statistics": "until TFDV 1.16",
}


@pytest.mark.parametrize("name", FUNCTIONS)
def test_a_function_takes_the_same_parameters_in_the_same_places(name):
    wanted = FUNCTIONS[name].split()
    taken = list(inspect.signature(getattr(data_validation, name)).parameters)
    assert taken[: len(wanted)] == wanted
    assert name in dir(data_validation)


@pytest.mark.parametrize("name", CLASSES)
def test_a_class_has_the_same_methods(name):
    assert set(CLASSES[name].split()) <= set(dir(getattr(data_validation, name)))


@pytest.mark.parametrize("name", ON_BEAM)
def test_a_step_of_a_beam_pipeline_takes_the_same_parameters(name):
    step = getattr(data_validation, name)
    assert step is getattr(beam, name)
    wanted = ON_BEAM[name].split()
    assert list(inspect.signature(step).parameters)[: len(wanted)] == wanted


@pytest.mark.parametrize("name", REFUSING)
def test_what_is_not_here_says_where_to_go(name):
    refusing = getattr(data_validation, name)
    with pytest.raises(NotImplementedError, match=f"{name} .*{REFUSING[name]}"):
        refusing("argument", keyword=1)
    with pytest.raises(NotImplementedError, match=name):
        type("Derived", (refusing,), {})


def test_a_name_that_tfdv_lacks_is_missing():
    with pytest.raises(AttributeError, match="has no attribute 'generate_statistix'"):
        data_validation.generate_statistix  # noqa: B018
