"""The page of an evaluation: of few slices and of many, of every kind of model, ours and TFMA's."""

import json
import re
import shutil
import subprocess
from pathlib import Path

import pytest
from google.protobuf import json_format

from penstock.artifacts import ModelEvaluation
from penstock.cards import artifact_page
from penstock.cards.evaluation_plots import plot_figures, plots_of, thinned
from penstock.cards.metric_words import better, metric_words
from penstock.cards.slice_metrics import collect_slice_metrics, primary_metric, worst_first
from penstock.cards.thresholds_section import thresholds_section
from penstock.evaluation import MetricKey
from penstock.evaluation.class_names import write_class_names
from penstock.evaluation.config import EvalConfig, EvalRun
from penstock.evaluation.keys import SubKey, slice_key_to_proto
from penstock.evaluation.messages import message_class
from penstock.io import TFRecordWriter

from .whole_page import html_of

TFMA = str(Path(__file__).resolve().parents[2] / "golden/tfma/jackknife")
NASTY = "</script><script>alert('x')</script>"


def write_metrics(folder, slices, models=("",), config=None):
    """Write metrics: pairs of slice key and {metric: value, or (value, lower, upper)}."""
    folder.mkdir(parents=True, exist_ok=True)
    with TFRecordWriter(str(folder / "metrics-00000-of-00001.tfrecord"), "") as writer:
        for key, values in slices:
            message = message_class("MetricsForSlice")()
            slice_key_to_proto(key, message.slice_key)
            for shift, model in enumerate(models):
                for name, value in values.items():
                    entry = message.metric_keys_and_values.add()
                    metric = name if isinstance(name, MetricKey) else MetricKey(name)
                    metric.of_model(model).to_proto(entry.key)
                    value, *ends = value if isinstance(value, tuple) else (value,)
                    entry.value.double_value.value = value - 0.1 * shift
                    if ends:
                        interval = entry.confidence_interval
                        interval.lower_bound.double_value.value = ends[0]
                        interval.upper_bound.double_value.value = ends[1]
            writer.write(message.SerializeToString())
    if config is not None:
        run = EvalRun(eval_config=json_format.ParseDict(config, EvalConfig()), version="0.52.0")
        (folder / "eval_config.json").write_text(json_format.MessageToJson(run))
    return str(folder)


def page_of(folder):
    return html_of(artifact_page(ModelEvaluation(folder, id=5)))


def data_of(page):
    (text,) = re.findall(r'<script type="application/json" id="slice-data">(.*?)</script>', page)
    return json.loads(text)


def words_of(page):
    body = re.sub(r"<(style|script).*?</\1>", "", page, flags=re.S)
    return re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", body))


def test_what_tfma_wrote_is_shown_with_intervals_and_the_baseline():
    page = page_of(TFMA)
    said = words_of(page)
    assert "Thresholds failed" in said
    assert "down by 0.05 from the baseline (must not fall) in kind=k2" in said
    assert "The whole data set" in said
    assert "0.9242 0.8872 to 0.9613" in said  # the candidate's AUC
    assert "0.9226 0.8859 to 0.9595" in said  # the baseline's
    assert "ROC curve, class 2" in said
    assert "Precision and recall, class 2" in said
    assert "Calibration, class 2" in said
    assert "Confusion matrix, candidate" in said
    assert "Plots of kind=k2" in said
    # The candidate has the first colour in tables and plots.
    assert said.index("Confusion matrix, candidate") < said.index("Confusion matrix, baseline")
    data = data_of(page)
    assert data["slices"] == ["Overall", "kind=k2", "kind=k1", "kind=k0"]
    assert data["examples"] == [240, 80, 80, 80]
    (candidate,) = data["models"]
    accuracy = data["primary"]
    assert candidate["values"][accuracy] == [0.6125, 0.575, 0.6125, 0.65]
    assert candidate["lower"][accuracy][0] == pytest.approx(0.561416, abs=1e-6)
    assert data["baseline"]["values"][accuracy][0] == pytest.approx(0.6125)
    assert candidate["changes"][accuracy][1] == pytest.approx(-0.05)
    assert data["columns"][accuracy]["bounds"] == {"lower": 0.75}


def test_classes_are_called_by_their_names(tmp_path):
    folder = shutil.copytree(TFMA, tmp_path / "evaluation")
    write_class_names(["bus", "tram", NASTY], str(folder))
    page = page_of(str(folder))
    assert NASTY not in page
    assert "tram" in words_of(page)
    assert "class 1" not in words_of(page)
    assert metric_words("auc (class_id 1)", class_names=["bus", "tram"]) == "auc (tram)"
    assert metric_words("auc (class_id 7, top_k 2)") == "auc (class 7, top k 2)"


def test_ten_thousand_slices_are_a_page_of_a_megabyte(tmp_path):
    slices = [((), {"example_count": 60_000.0, "auc": 0.7, "loss": 0.5})]
    for i in range(10_000):
        values = {"example_count": float(i % 50), "auc": (i * 37 % 1000) / 1000, "loss": 0.4}
        slices.append(((("zone", i),), values))
    page = page_of(write_metrics(tmp_path / "many", slices))
    assert len(page) < 1_200_000
    data = data_of(page)
    assert len(data["slices"]) == 10_001
    values = data["models"][0]["values"][data["primary"]]
    assert values[0] == 0.7
    assert values[1:] == sorted(values[1:])
    # Without JavaScript the worst stand there.
    assert words_of(page).count("zone=") == 49


def test_of_too_many_numbers_the_worst_slices_are_kept(tmp_path, monkeypatch):
    monkeypatch.setattr("penstock.cards.slice_metrics._MOST_NUMBERS", 300)
    slices = [((), {"auc": 0.7})] + [((("zone", i),), {"auc": i / 1000}) for i in range(500)]
    page = page_of(write_metrics(tmp_path / "more", slices))
    assert data_of(page)["slices"][:3] == ["Overall", "zone=0", "zone=1"]
    assert len(data_of(page)["slices"]) == 300
    assert "201 further slices are not on this page" in words_of(page)


def test_several_models_outputs_and_cuts_can_be_chosen(tmp_path):
    late, fare = (MetricKey("loss", output_name=name) for name in ("late", "fare"))
    slices = [
        ((), {late: 0.5, fare: (2.0, 1.5, 2.5)}),
        ((("city", NASTY),), {late: 0.6, fare: (3.0, 2.5, 3.5)}),
        ((("city", "Ulm"), ("day", 3)), {late: float("nan"), fare: (1.0, 0.5, 1.5)}),
    ]
    page = page_of(write_metrics(tmp_path / "models", slices, ("a", "b")))
    assert NASTY not in page
    data = data_of(page)
    assert [each["words"] for each in data["columns"]] == ["loss (late)", "loss (fare)"]
    assert len(data["models"]) == 2
    assert data["baseline"] is None
    assert data["slices"][1] == f"city={NASTY}"
    assert data["models"][0]["values"][0][-1] is None
    assert '<select id="model">' in page
    assert '<select id="by">' in page
    assert "city, day" in words_of(page)


def test_the_baseline_is_what_the_config_calls_so(tmp_path):
    config = {"model_specs": [{"name": "new"}, {"name": "old", "is_baseline": True}]}
    slices = [((), {"accuracy": 0.9})]
    folder = write_metrics(tmp_path / "named", slices, ("old", "new"), config)
    found = collect_slice_metrics(folder)
    assert list(found.models) == ["new"]
    assert found.baseline["accuracy"].values == [0.9]
    # There is no difference among the metrics of an older TFMA: the page takes it.
    assert "-0.1" in words_of(page_of(folder))


def test_each_of_several_baselines_stands_beside_the_model(tmp_path):
    config = {
        "model_specs": [
            {"name": "new"},
            {"name": "old", "is_baseline": True},
            {"name": "live", "is_baseline": True},
        ]
    }
    slices = [((), {"auc": 0.9})]
    folder = write_metrics(tmp_path / "two", slices, ("live", "new", "old"), config)
    found = collect_slice_metrics(folder)
    assert list(found.baselines) == ["old", "live"]
    said = words_of(page_of(folder))
    assert "Metric new old live new to old new to live" in said
    assert "auc 0.8 0.7 0.9 +0.1 -0.1" in said


def test_slices_that_were_compared_have_a_table_of_their_own(tmp_path):
    folder = write_metrics(tmp_path / "compared", [((), {"auc": 0.9}), ((("a", 1),), {"auc": 0.8})])
    message = message_class("MetricsForSlice")()
    slice_key_to_proto((), message.cross_slice_key.baseline_slice_key)
    slice_key_to_proto((("a", 1),), message.cross_slice_key.comparison_slice_key)
    entry = message.metric_keys_and_values.add()
    entry.key.name = "auc"
    entry.value.double_value.value = -0.1
    with TFRecordWriter(f"{folder}/metrics-00001-of-00001.tfrecord", "") as writer:
        writer.write(message.SerializeToString())
    page = page_of(folder)
    assert data_of(page)["slices"] == ["Overall", "a=1"]
    assert "Slices compared" in words_of(page)
    assert "Overall vs. a=1 -0.1" in words_of(page)


def test_attributions_are_bars_the_largest_first(tmp_path):
    folder = write_metrics(tmp_path / "attributed", [((), {"auc": 0.9})])
    message = message_class("AttributionsForSlice")()
    message.slice_key.SetInParent()
    entry = message.attributions_keys_and_values.add()
    entry.key.name = "mean_absolute_attributions"
    for name, value in (("fare", 0.25), (NASTY, -0.5)):
        entry.values[name].double_value.value = value
    with TFRecordWriter(f"{folder}/attributions-00000-of-00001.tfrecord", "") as writer:
        writer.write(message.SerializeToString())
    page = page_of(folder)
    assert NASTY not in page
    said = words_of(page)
    assert "Attributions mean absolute attributions Feature Attribution" in said
    assert said.index("-0.5") < said.index("fare 0.25")
    assert "width:50.0%" in page


def test_slices_are_sorted_worst_first_after_the_whole(tmp_path):
    slices = [
        ((("s", name),) if name else (), {"auc": auc, "loss": 1 - auc})
        for name, auc in (("a", 0.9), ("b", 0.3), ("", 0.5), ("c", float("nan")), ("d", 0.6))
    ]
    found = collect_slice_metrics(write_metrics(tmp_path / "sorted", slices))
    overall = {"loss": 0.1, "auc": 0.9}
    assert primary_metric(overall, []) == ("auc", True)
    ranking = {"max_documents": 9.0, "min_label_position": 2.0, "ndcg (top_k 1)": 0.5}
    assert primary_metric(ranking, []) == ("ndcg (top_k 1)", True)
    assert primary_metric({"total_queries": 9.0, "min_label_position": 2.0}, []) == (
        "min_label_position",
        False,
    )
    assert primary_metric({}, []) is None
    check = {"metric": "loss", "direction": "", "bounds": {"upper": 0.5}}
    assert primary_metric(overall, [check]) == ("loss", False)
    expected = ["Overall", "s=b", "s=d", "s=a", "s=c"]
    assert worst_first(found, "auc", True).slices == expected
    assert worst_first(found, "loss", False).slices == expected


def test_it_is_known_which_metrics_are_better_when_higher():
    higher = ("auc", "recall (weighted)", "ndcg (top_k 3)", "binary_accuracy", "r2_score")
    lower = ("mean_squared_error", "false_positives", "loss", "binary_crossentropy", "fall_out")
    assert [better(each) for each in higher] == [1] * len(higher)
    assert [better(each) for each in lower] == [-1] * len(lower)
    assert better("mean_label") == better("prevalence") == better("example_count") == 0


def check(passed, value, where="Overall", **more):
    return {
        "metric": "auc",
        "slice": where,
        "num_examples": 10,
        "passed": passed,
        "kind": "value",
        "value": value,
        "bounds": {"lower": 0.7},
        "direction": "",
        **more,
    }


def test_many_checks_are_summed_up_by_threshold():
    checks = [check(i >= 3, 0.5 + i / 10, f"s={i}") for i in range(20)]
    change = {"kind": "change", "bounds": {"absolute": -0.1}, "direction": "higher is better"}
    checks += [check(True, 0.8, f"s={i}", change=i / 10, baseline=0.7, **change) for i in range(5)]
    metrics = [{"metrics": {"auc": 0.9}}]
    _, _, body = thresholds_section({"evaluation": {"checks": checks, "slices": metrics}})
    said = words_of(body)
    assert "auc at least 0.7 17 of 20 0.5 s=0" in said
    assert "auc change of at least -0.1 5 of 5 0 s=0" in said
    assert "3 of 25 checks failed" in said
    spread = check(False, 0.6, interval=[0.55, 0.65])
    change = {**checks[-1], "interval": [-0.2, 0.3], "baseline_name": "live"}
    found = {"evaluation": {"checks": [spread, change], "slices": metrics}}
    said = words_of(thresholds_section(found)[2])
    assert "10 0.6 0.55 to 0.65" in said
    assert "0.7 live 0.4 -0.2 to 0.3" in said
    few = thresholds_section({"evaluation": {"checks": checks[:4], "slices": metrics}})[2]
    assert "checks failed" not in few
    assert words_of(few).count("failed") == 3


def plot(**parts):
    return json_format.ParseDict(parts, message_class("PlotData")())


def figures_of(*messages, class_names=()):
    return words_of("".join(plot_figures(plots_of(messages, class_names), class_names)))


def test_a_binary_plot_has_curves_and_a_matrix_at_a_half():
    matrices = [
        {"threshold": t, "recall": r, "precision": p, "falsePositiveRate": f, "truePositives": tp,
         "falsePositives": 1, "trueNegatives": 5, "falseNegatives": 2}
        for t, r, p, f, tp in ((0.0, 1, 0.5, 1, 8), (0.51, 0.5, 0.8, 0.2, 4), (0.9, 0.1, 1, 0, 1))
    ]  # fmt: skip
    said = figures_of((MetricKey(""), plot(confusionMatrixAtThresholds={"matrices": matrices})))
    assert "ROC curve" in said
    assert "Precision and recall" in said
    assert "Confusion matrix at 0.51" in said


def test_a_regression_has_residuals_and_many_classes_their_confusions():
    buckets = [
        {"numWeightedExamples": 2, "totalWeightedLabel": 20 * i + 2,
         "totalWeightedRefinedPrediction": 20 * i}
        for i in range(1, 4)
    ]  # fmt: skip
    key = MetricKey("", output_name="fare")
    said = figures_of((key, plot(calibrationHistogramBuckets={"buckets": buckets})))
    assert "Label by prediction of fare" in said
    assert "Residuals of fare" in said
    entries = [
        {"actualClassId": i, "predictedClassId": i, "numWeightedExamples": 9} for i in range(30)
    ]
    entries += [
        {"actualClassId": 3, "predictedClassId": 4, "numWeightedExamples": 3},
        {"actualClassId": 5, "predictedClassId": -1, "numWeightedExamples": 1},
    ]
    many = plot(multiClassConfusionMatrixAtThresholds={"matrices": [{"entries": entries}]})
    said = figures_of((MetricKey(""), many), class_names=["bus", "tram", "ferry", "cab"])
    assert "Most frequent confusions" in said
    assert "cab class 4 3 25.0%" in said
    assert "class 5 none 1 10.0%" in said


def test_labels_of_which_a_row_has_several_are_told_one_by_one():
    entries = [
        {"actualClassId": i, "predictedClassId": i, "truePositives": 5, "falsePositives": i,
         "falseNegatives": 0, "trueNegatives": 4}
        for i in range(3)
    ]  # fmt: skip
    matrices = {"matrices": [{"threshold": 0.5, "entries": entries}]}
    said = figures_of((MetricKey(""), plot(multiLabelConfusionMatrixAtThresholds=matrices)))
    assert "Labels at 0.5" in said
    assert "class 2 5 2 0 4 class 1 5 1 0 4" in said


def test_models_stand_in_one_chart_and_outputs_and_classes_apart():
    matrices = {"matrices": [{"threshold": 0.5, "recall": 0.5, "falsePositiveRate": 0.1}]}
    curve = plot(confusionMatrixAtThresholds=matrices)
    keys = [
        MetricKey("", model_name=model, output_name="kind", sub_key=SubKey(class_id=i))
        for model in ("candidate", "baseline")
        for i in range(2)
    ]
    said = figures_of(*((key, curve) for key in keys), class_names=["bus", "tram"])
    assert "ROC curve of kind, bus" in said
    assert said.count("candidate") > 0
    one = figures_of(*((key.of_model(""), curve) for key in keys[:2]), class_names=["bus", "tram"])
    assert one.count("ROC curve of kind") == 1


def test_a_curve_keeps_its_ends_and_loses_what_cannot_be_seen():
    curve = [(0.0, 0.0), (0.0001, 0.0), (0.5, 0.5), (0.5, 0.5), (0.9999, 1.0), (1.0, 1.0)]
    assert thinned(curve) == [(0.0, 0.0), (0.5, 0.5), (0.9999, 1.0), (1.0, 1.0)]


@pytest.mark.parametrize("of_classes", [False, True])
def test_the_worst_rows_are_shown_where_they_were_kept(tmp_path, of_classes):
    folder = Path(shutil.copytree(TFMA, tmp_path / "evaluation"))
    row = {"id": NASTY, "error": 0.9, "label": 1.0, "prediction": 0.1, "score": None,
           "label_score": None, "baseline": 0.3, "model": "", "output": "",
           "features": {"city": "Ulm"}}  # fmt: skip
    if of_classes:
        row |= {"prediction": 0.0, "score": 0.8, "label_score": 0.1, "baseline": 2.0}
    unknown = {**row, "id": "x", "error": None}
    content = {"id_key": "trip", "count": 2, "hidden": ["email"], "rows": [row, unknown]}
    (folder / "worst_rows.json").write_text(json.dumps(content))
    page = page_of(str(folder))
    said = words_of(page)
    assert NASTY not in page
    assert "The worst rows" in said
    assert "the schema tags them as PII: email" in said
    assert "not a number" in said
    expected = "class 1 class 0 0.8 0.1 class 2 0.9 Ulm" if of_classes else "1 0.1 0.3 0.9 Ulm"
    assert expected in said


@pytest.mark.slow
@pytest.mark.processes
def test_the_pages_script_runs_in_a_browser(tmp_path):
    browser = shutil.which("chromium") or shutil.which("google-chrome")
    if browser is None:
        pytest.skip("needs Chromium")
    page = tmp_path / "page.html"
    page.write_text(page_of(TFMA))
    done = subprocess.run(
        [browser, "--headless=new", "--no-sandbox", "--disable-gpu", f"--user-data-dir={tmp_path}/b",
         "--dump-dom", page.as_uri()],
        capture_output=True, text=True, timeout=120,
    )  # fmt: skip
    said = words_of(done.stdout)
    assert "4 of 4 slices" in said
    shown = re.sub(r"<script.*?</script>", "", done.stdout, flags=re.S)
    rows = re.findall(r'<td class="slice">(.*?)</td>', shown)
    assert rows == ["Overall", "kind=k2", "kind=k1", "kind=k0"]
    assert shown.count('aria-label="range"') == 4
