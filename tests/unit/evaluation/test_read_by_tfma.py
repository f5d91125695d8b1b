"""TFMA's loaders, tables and views read what is written here.

TFMA runs in a process of its own: its import takes seconds, sets Keras 2, and warns.
"""

import importlib.util
import json
import subprocess
import sys

import pytest

from penstock.evaluation import evaluate, read_validation, write_evaluation

pytestmark = [
    pytest.mark.slow,
    pytest.mark.tensorflow,
    pytest.mark.skipif(
        importlib.util.find_spec("tensorflow_model_analysis") is None,
        reason="TFMA is not installed",
    ),
]

_READ = """
import json, sys, warnings
warnings.simplefilter("ignore")
import tensorflow_model_analysis as tfma
from tensorflow_model_analysis.api import dataframe
from tensorflow_model_analysis.slicer.slicer_lib import SingleSliceSpec
from tensorflow_model_analysis.view import util, widget_view

folder = sys.argv[1]
result = tfma.load_eval_result(folder, model_name="candidate")
every = tfma.load_eval_results(folder)
validation = tfma.load_validation_result(folder)
plot, _ = util.get_plot_data_and_config(result.plots, SingleSliceSpec(), class_id=2)
series = util.get_time_series(every, SingleSliceSpec(), display_full_path=False)
tables = dataframe.metrics_as_dataframes(tfma.load_metrics(folder))
curves = dataframe.plots_as_dataframes(tfma.load_plots(folder))
views = [
    widget_view.render_slicing_metrics(result, slicing_column="kind"),
    widget_view.render_plot(result, class_id=2),
    widget_view.render_time_series(every),
]
print(json.dumps({
    "slices": sorted(map(str, result.get_slice_names())),
    "accuracy": result.get_metrics_for_slice()["sparse_categorical_accuracy"],
    "config": result.config.model_specs[0].label_key,
    "loaded": [
        len(list(load(folder)))
        for load in (tfma.load_metrics, tfma.load_plots, tfma.load_attributions)
    ],
    "ok": validation.validation_ok,
    "failures": sum(len(each.failures) for each in validation.metric_validations_per_slice),
    "plot": sorted(plot),
    "points": len(plot["confusionMatrixAtThresholds"]["matrices"]),
    "series": len(series),
    "tables": [len(tables.double_value), len(curves.confusion_matrix_at_thresholds)],
    "views": [type(view).__name__ for view in views],
}))
"""


def test_tfmas_loaders_tables_and_views_read_an_evaluation(
    files, model, worse_model, by_class, here
):
    config = by_class(
        {"class_name": "ExampleCount"},
        {
            "class_name": "SparseCategoricalAccuracy",
            "threshold": {"value_threshold": {"lower_bound": 0.99}},
        },
        {"class_name": "MultiClassConfusionMatrixPlot"},
        slicing_specs=[{}, {"feature_keys": ["kind"]}],
    )
    config["metrics_specs"].append(
        {
            "metrics": [
                {"class_name": "AUC"},
                {"class_name": "CalibrationPlot"},
                {"class_name": "ConfusionMatrixPlot", "config": '"num_thresholds": 20'},
            ],
            "binarize": {"class_ids": {"values": [2]}},
        }
    )
    evaluation = evaluate(files, model=model, baseline=worse_model, eval_config=config)
    write_evaluation(evaluation, here)
    done = subprocess.run(
        [sys.executable, "-c", _READ, here], capture_output=True, text=True, timeout=300
    )
    assert done.returncode == 0, done.stderr[-3000:]
    found = json.loads(done.stdout)
    slices = len(evaluation.slices)
    assert found["slices"] == sorted(str(each.key) for each in evaluation.slices)
    accuracy = evaluation.metrics()["sparse_categorical_accuracy"]
    assert found["accuracy"]["doubleValue"] == pytest.approx(accuracy)
    assert found["config"] == "label"
    assert found["loaded"] == [slices] * 3
    assert found["ok"] is False
    failed = len(evaluation.validation.failed())
    assert found["failures"] == failed > 0
    assert found["plot"] == ["calibrationHistogramBuckets", "confusionMatrixAtThresholds"]
    assert found["points"] == 22
    assert found["series"] == 2
    numbers = sum(len(each.metrics) for each in evaluation.slices)
    # Each slice has the points of both models' curves.
    assert found["tables"] == [numbers, 2 * slices * 22]
    assert found["views"] == ["SlicingMetricsViewer", "PlotViewer", "TimeSeriesViewer"]
    validation = read_validation(here)
    assert sum(len(each.failures) for each in validation.metric_validations_per_slice) == failed
