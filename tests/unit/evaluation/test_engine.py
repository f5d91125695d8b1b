import numpy as np
import pytest
from google.protobuf import text_format
from tensorflow_metadata.proto.v0 import schema_pb2

from penstock.evaluation import evaluate, slice_name

ACCURACY = {"class_name": "SparseCategoricalAccuracy"}
COUNT = {"class_name": "ExampleCount"}

pytestmark = pytest.mark.tensorflow


def test_metrics_of_every_slice_come_from_its_rows(
    files, model, columns, by_class, expected_accuracy
):
    slices = [{}, {"feature_keys": ["kind"]}, {"feature_keys": ["size", "kind"]}]
    config = by_class(ACCURACY, COUNT, slicing_specs=slices)
    result = evaluate(files, model=model, eval_config=config, batch_size=37)
    assert result.num_examples == 120
    assert len(result.slices) == 1 + 3 + 6
    assert result.slices[0].key == ()
    for each in result.slices:
        chosen = [
            row
            for row in range(120)
            if all(
                columns[name][row] == [value.encode() if isinstance(value, str) else value]
                for name, value in each.key
            )
        ]
        assert each.num_examples == len(chosen) > 0
        metrics = result.metrics(each.key)
        assert metrics["example_count"] == len(chosen)
        assert metrics["sparse_categorical_accuracy"] == pytest.approx(expected_accuracy(chosen))


def test_the_cut_into_batches_does_not_matter(files, model, by_class):
    metrics = [{"class_name": name} for name in ("AUC", "SparseCategoricalCrossentropy")]
    config = by_class(*metrics, slicing_specs=[{}, {"feature_keys": ["kind"]}])
    one = evaluate(files, model=model, eval_config=config)
    many = evaluate(files, model=model, eval_config=config, batch_size=7)
    for first, second in zip(one.slices, many.slices, strict=True):
        assert first.key == second.key
        for key, value in first.metrics.items():
            assert second.metrics[key] == pytest.approx(value, rel=1e-9)


def test_labels_and_slices_may_be_transformed_features(files, model, by_class):
    config = by_class(ACCURACY, slicing_specs=[{"feature_keys": ["sign"]}])
    raw = evaluate(files, model=model, eval_config=by_class(ACCURACY)).metrics()
    config["model_specs"][0]["label_key"] = "label_xf"
    sliced = evaluate(files, model=model, eval_config=config)
    assert [slice_name(s.key) for s in sliced.slices] == ["sign=0", "sign=1"]
    shares = [s.num_examples / 120 for s in sliced.slices]
    values = [sliced.metrics(s.key)["sparse_categorical_accuracy"] for s in sliced.slices]
    assert np.dot(shares, values) == pytest.approx(raw["sparse_categorical_accuracy"])


def test_weights_apply_where_a_key_is_set(files, model, columns, by_class):
    config = by_class(COUNT)
    config["model_specs"][0]["example_weight_key"] = "weight"
    config["metrics_specs"][0]["example_weights"] = {"weighted": True, "unweighted": True}
    metrics = evaluate(files, model=model, eval_config=config).metrics()
    assert metrics == {
        "example_count": 120.0,
        "example_count (weighted)": float(np.sum(columns["weight"])),
    }


def test_a_schema_narrows_what_is_read_and_changes_nothing(files, model, by_class):
    schema = text_format.Parse(
        'feature { name: "label" type: INT } feature { name: "kind" type: BYTES } '
        'feature { name: "x" type: FLOAT }',
        schema_pb2.Schema(),
    )
    config = by_class(ACCURACY, slicing_specs=[{"feature_keys": ["kind"]}])
    with_schema = evaluate(files, model=model, eval_config=config, schema=schema)
    without = evaluate(files, model=model, eval_config=config)
    assert [s.metrics for s in with_schema.slices] == [s.metrics for s in without.slices]


def test_averages_over_classes(files, model, by_class):
    config = by_class({"class_name": "Recall"})
    spec = config["metrics_specs"][0]
    single = {**spec, "binarize": {"class_ids": {"values": [0, 1, 2]}}}
    macro = {**spec, "aggregate": {"macro_average": True, "class_weights": {0: 1, 1: 1, 2: 2}}}
    micro = {**spec, "aggregate": {"micro_average": True}}
    by_label = {"weighted_macro_average": True, "class_weights": {0: 1, 1: 1, 2: 1}}
    config["metrics_specs"] = [single, macro, micro, {**spec, "aggregate": by_label}]
    metrics = evaluate(files, model=model, eval_config=config).metrics()
    recalls = [metrics[f"recall (class_id {i})"] for i in range(3)]
    assert metrics["recall (macro_average)"] == pytest.approx(np.dot(recalls, [1, 1, 2]) / 4)
    # Weighted by how often each class is the label, recalls add up to the micro average.
    assert metrics["recall (weighted_macro_average)"] == pytest.approx(
        metrics["recall (micro_average)"]
    )


def test_a_slice_that_is_too_small_has_a_reason_instead_of_metrics(files, model, by_class):
    slices = [{}, {"feature_keys": ["kind"]}]
    config = by_class(ACCURACY, slicing_specs=slices, options={"min_slice_size": 100})
    result = evaluate(files, model=model, eval_config=config)
    assert not result.slices[0].error
    assert result.slices[0].metrics
    assert not result.slices[1].metrics
    assert result.slices[1].error == "The slice has 36 examples; min_slice_size is 100."


def test_a_baseline_gives_differences(files, model, worse_model, by_class, expected_accuracy):
    result = evaluate(files, model=model, baseline=worse_model, eval_config=by_class(ACCURACY))
    rows = range(120)
    better, worse = expected_accuracy(rows), expected_accuracy(rows, -0.5)
    by_key = {(k.model_name, k.is_diff): v for k, v in result.slices[0].metrics.items()}
    assert by_key == {
        ("candidate", False): pytest.approx(better),
        ("baseline", False): pytest.approx(worse),
        ("candidate", True): pytest.approx(better - worse),
    }
    assert result.metrics() == {"sparse_categorical_accuracy": pytest.approx(better)}


def test_parquet_gives_the_same(files, model, by_class, tmp_path):
    from penstock.io import ExamplesWriter, read_record_batches, split_files

    with ExamplesWriter(str(tmp_path), ["eval"], file_format="parquet") as writer:
        for batch in read_record_batches(files):
            writer.write("eval", batch)
    config = by_class(ACCURACY, COUNT, slicing_specs=[{}, {"feature_keys": ["kind"]}])
    found = evaluate(
        split_files(str(tmp_path), "eval"), model=model, eval_config=config, file_format="parquet"
    )
    expected = evaluate(files, model=model, eval_config=config)
    assert [s.metrics for s in found.slices] == [s.metrics for s in expected.slices]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (
            {"slicing_specs": [{"feature_keys": ["kin"]}]},
            "slicing feature 'kin' is not a feature of the examples. Did you mean 'kind'",
        ),
        (
            {"model_specs": [{"label_key": "labl", "prediction_key": "probabilities"}]},
            "The label 'labl' is not a feature of the examples. Did you mean 'label'",
        ),
        (
            {"model_specs": [{"label_key": "kind", "prediction_key": "probabilities"}]},
            "The label 'kind' has 0 values in row 0; 1 were expected",
        ),
        ({"model_specs": [{"prediction_key": "probabilities"}]}, "has no label_key"),
        (
            {"model_specs": [{"label_key": "label", "signature_name": "serve"}]},
            "has no signature 'serve', which its ModelSpec names. Signatures: serving_default",
        ),
        (
            {"model_specs": [{"label_key": "label", "prediction_key": "logits"}]},
            "returns no 'logits'. It returns: ",
        ),
        ({"metrics_specs": [{"metrics": [{"class_name": "Acc"}]}]}, "There is no metric 'Acc'"),
        ({"metrics_specs": []}, "requests no metric"),
        (
            {
                "metrics_specs": [{"metrics": [{"class_name": "AUC"}]}],
                "options": {"confidence_intervals": {"method": "JACKKNIFE"}},
            },
            "has no effect without compute_confidence_intervals",
        ),
        (
            {
                "metrics_specs": [
                    {
                        "metrics": [{"class_name": "AUC"}],
                        "query_key": "q",
                        "binarize": {"class_ids": {"values": [1]}},
                    }
                ]
            },
            "AUC is of rows, not of queries, and has no single classes of them; put it in a MetricsSpec "
            "without query_key",
        ),
        (
            {"metrics_specs": [{"metrics": [{"class_name": "ExactMatch"}], "query_key": "q"}]},
            "ExactMatch is of rows, not of queries, and needs more of a row than its label",
        ),
        (
            {
                "metrics_specs": [
                    {"metrics": [{"class_name": "AUC"}], "aggregate": {"macro_average": True}}
                ]
            },
            "macro_average needs class_weights",
        ),
    ],
)
def test_what_does_not_exist_is_named(files, model, by_class, change, message):
    with pytest.raises(ValueError, match=message):
        evaluate(files, model=model, eval_config={**by_class(ACCURACY), **change})


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (
            {"slicing_specs": [{"feature_keys": ["sgn"]}]},
            "names the feature 'sgn'.* Did you mean 'sign'",
        ),
        ({"model_specs": [{"label_key": "labl_xf"}]}, "names 'labl_xf', which is not a feature"),
    ],
)
def test_with_a_schema_a_faulty_name_is_found_before_any_row_is_read(
    model, by_class, change, message
):
    schema = text_format.Parse('feature { name: "x" type: FLOAT }', schema_pb2.Schema())
    with pytest.raises(ValueError, match=message):
        evaluate(
            ["/no/such/file"],
            model=model,
            eval_config={**by_class(ACCURACY), **change},
            schema=schema,
        )


def test_a_schema_without_what_is_wanted_still_counts_rows(files, model, by_class):
    schema = text_format.Parse('feature { name: "size" type: INT }', schema_pb2.Schema())
    config = by_class(COUNT)
    config["model_specs"][0]["label_key"] = "label_xf"
    assert evaluate(files, model=model, eval_config=config, schema=schema).num_examples == 120


def test_no_model_and_no_examples_are_errors(files, model, by_class, tmp_path):
    with pytest.raises(FileNotFoundError, match=r"saved_model\.pb is missing"):
        evaluate(files, model=str(tmp_path), eval_config=by_class(ACCURACY))
    from penstock.io import TFRecordWriter

    with TFRecordWriter(str(tmp_path / "empty.gz")):
        pass
    with pytest.raises(ValueError, match="There is nothing to evaluate"):
        evaluate([str(tmp_path / "empty.gz")], model=model, eval_config=by_class(ACCURACY))


NEVER = {"value_threshold": {"lower_bound": 1.01}}


@pytest.mark.parametrize("together", [True, False])
@pytest.mark.parametrize("first", [True, False])
def test_a_metric_asked_for_twice_keeps_each_threshold(files, model, by_class, together, first):
    with_one, plain = {**ACCURACY, "threshold": NEVER}, dict(ACCURACY)
    metrics = [with_one, plain] if first else [plain, with_one]
    config = by_class(*metrics)
    if not together:
        config["metrics_specs"] = [{"metrics": [metric]} for metric in metrics]
    validation = evaluate(files, model=model, eval_config=config).validation
    assert not validation.ok
    assert [check.bounds for check in validation.checks] == [{"lower": 1.01}]


def test_two_thresholds_on_a_metric_asked_for_twice_are_both_checked(files, model, by_class):
    loose = {"value_threshold": {"lower_bound": 0.1}}
    config = by_class({**ACCURACY, "threshold": NEVER}, {**ACCURACY, "threshold": loose})
    checks = evaluate(files, model=model, eval_config=config).validation.checks
    assert [(check.bounds["lower"], check.passed) for check in checks] == [
        (1.01, False),
        (0.1, True),
    ]


def test_a_count_among_averages_keeps_its_threshold(files, model, by_class):
    config = by_class({**COUNT, "threshold": {"value_threshold": {"lower_bound": 10_000}}})
    config["metrics_specs"][0]["aggregate"] = {"micro_average": True}
    result = evaluate(files, model=model, eval_config=config)
    assert result.metrics() == {"example_count": 120.0}
    assert not result.validation.ok


def test_a_threshold_by_name_is_on_the_outputs_and_classes_of_its_own_spec(files, model, by_class):
    config = by_class()
    recall = [{"class_name": "Recall"}]
    config["metrics_specs"] = [
        {"metrics": recall, "binarize": {"class_ids": {"values": [0, 1]}}},
        {"metrics": recall, "aggregate": {"micro_average": True}, "thresholds": {"recall": NEVER}},
    ]
    checks = evaluate(files, model=model, eval_config=config).validation.checks
    assert [check.metric for check in checks] == ["recall (micro_average)"]


@pytest.mark.parametrize(
    "metric",
    [
        {"class_name": "AUC"},
        {"class_name": "AUCPrecisionRecall"},
        {"class_name": "PrecisionAtRecall", "config": '"recall": 0.5'},
        {"class_name": "ConfusionMatrixPlot"},
        {"class_name": "Precision"},
        {"class_name": "BinaryCrossentropy"},
    ],
)
def test_binary_metrics_refuse_labels_outside_of_0_to_1(files, model, metric):
    # `size` is 1 or 2, as codes of a class often are.
    config = {
        "model_specs": [{"label_key": "size", "prediction_key": "positive"}],
        "metrics_specs": [{"metrics": [metric]}],
    }
    with pytest.raises(ValueError, match="needs labels between 0 and 1 .* Received: a label 2"):
        evaluate(files, model=model, eval_config=config)


def test_a_calibration_plot_takes_labels_of_any_size(files, model):
    config = {
        "model_specs": [{"label_key": "size", "prediction_key": "positive"}],
        "metrics_specs": [{"metrics": [{"class_name": "CalibrationPlot"}]}],
    }
    (result,) = evaluate(files, model=model, eval_config=config).slices
    (plot,) = result.plots.values()
    assert plot.weights.sum() == 120


def test_counts_and_mean_predictions_need_no_label(files, model, columns):
    config = {
        "model_specs": [{"prediction_key": "value"}],
        "metrics_specs": [{"metrics": [COUNT, {"class_name": "MeanPrediction"}]}],
    }
    assert evaluate(files, model=model, eval_config=config).metrics() == {
        "example_count": 120.0,
        "mean_prediction": pytest.approx(np.mean(columns["x"]), rel=1e-5),
    }


def test_output_weights_add_the_mean_over_outputs(files, model):
    recall = {"class_name": "Recall", "threshold": NEVER}
    config = {
        "model_specs": [{"label_keys": {"positive": "positive", "value": "positive"}}],
        "metrics_specs": [
            {
                "metrics": [recall],
                "output_names": ["positive", "value"],
                "output_weights": {"positive": 1.0, "value": 3.0},
            }
        ],
    }
    result = evaluate(files, model=model, eval_config=config)
    found = result.metrics()
    assert found["recall"] == pytest.approx(
        (found["recall (positive)"] + 3 * found["recall (value)"]) / 4
    )
    # As in TFMA, the threshold is on each output and not on their mean.
    assert [c.metric for c in result.validation.checks] == ["recall (positive)", "recall (value)"]


def test_a_baseline_that_no_model_spec_describes_is_refused(files, model, worse_model, by_class):
    config = by_class(ACCURACY)
    spec = config["model_specs"][0]
    config["model_specs"] = [{**spec, "name": "a"}, {**spec, "name": "b"}]
    with pytest.raises(ValueError, match=r"none of the ModelSpecs \(a, b\) has is_baseline=True"):
        evaluate(files, model=model, baseline=worse_model, eval_config=config)


def test_a_slicing_spec_without_any_example_is_told(files, model, by_class):
    slices = [{}, {"feature_values": {"kind": "k9"}}, {"feature_keys": ["kind"]}]
    result = evaluate(files, model=model, eval_config=by_class(ACCURACY, slicing_specs=slices))
    assert result.empty_slices == ["kind=k9"]
