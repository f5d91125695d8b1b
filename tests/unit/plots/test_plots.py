"""Figures hold what was asked for; what is written needs no other file and is the same each time."""

from __future__ import annotations

import base64
import re
import subprocess
import sys

import numpy as np
import pytest

from penstock import plots


def test_training_curves_have_a_panel_for_each_metric_with_validation_beside_training():
    figure = plots.training_curves(
        {"loss": [3, 2, 1], "val_loss": [3, 2.5, 2], "accuracy": [0, 0.5, 1]}
    )
    first, second = figure.axes
    assert [line.get_label() for line in first.lines] == ["training", "validation"]
    assert list(first.lines[0].get_xdata()) == [1, 2, 3]
    assert list(first.lines[1].get_ydata()) == [3, 2.5, 2]
    assert second.get_title(loc="left") == "accuracy"
    with pytest.raises(ValueError, match="values by epoch"):
        plots.training_curves({"loss": []})


def test_a_comparison_takes_values_alone_or_with_their_places():
    figure = plots.curve_comparison(
        {"a": [1.0, 2.0], "b": ([0.1, 1.0, 10.0], [3, 2, 1])}, log_x=True
    )
    a, b = figure.axes[0].lines
    assert list(a.get_xdata()) == [1, 2]
    assert list(b.get_xdata()) == [0.1, 1.0, 10.0]
    assert figure.axes[0].get_xscale() == "log"


def test_a_confusion_matrix_shows_counts_and_refuses_what_is_not_square():
    figure = plots.confusion_matrix([[8, 1], [0, 9]], ["cat", "dog"])
    axes = figure.axes[0]
    assert [text.get_text() for text in axes.texts] == ["8", "1", "9"]
    assert [label.get_text() for label in axes.get_yticklabels()] == ["cat", "dog"]
    assert axes.images[0].get_array().tolist() == [[8 / 9, 1 / 9], [0, 1]]
    with pytest.raises(ValueError, match=r"square.*\(1, 2\)"):
        plots.confusion_matrix([[1, 2]])
    with pytest.raises(ValueError, match="2 classes. Received 1"):
        plots.confusion_matrix([[1, 2], [3, 4]], ["one"])


def test_a_forecast_needs_a_time_for_each_value():
    times = np.arange("2020-01", "2020-05", dtype="datetime64[M]")
    figure = plots.forecast(times, [1, 2, 3, 4], {"model": (times[2:], [3.1, 4.2])})
    assert [line.get_label() for line in figure.axes[0].lines] == ["actual", "model"]
    with pytest.raises(ValueError, match="'model' has 1 times and 2 values"):
        plots.forecast([1, 2], [3, 4], {"model": ([2], [3, 4])})


def test_images_are_drawn_in_any_usual_shape():
    grey, colour = np.zeros((8, 8, 1)), np.full((8, 8, 3), 300)
    figure = plots.image_grid([grey, grey[..., 0], colour], ["a", "b", "c"], columns=2)
    assert [axes.get_title() for axes in figure.axes] == ["a", "b", "c"]
    assert figure.axes[2].images[0].get_array().max() == 255
    over = plots.heat_map_over_image(colour, np.eye(2), title="why")
    assert over.axes[1].images[1].get_extent() == [-0.5, 7.5, 7.5, -0.5]
    with pytest.raises(ValueError, match=r"\(8, 8, 2\)"):
        plots.image_grid([np.zeros((8, 8, 2))])


def test_attention_has_a_panel_for_each_head():
    figure = plots.attention_maps(np.ones((3, 2, 2)) / 2, ["ich", "bin"])
    assert [axes.get_title(loc="left") for axes in figure.axes] == ["head 1", "head 2", "head 3"]
    assert [label.get_text() for label in figure.axes[0].get_xticklabels()] == ["ich", "bin"]
    with pytest.raises(ValueError, match="2 keys. Received 1"):
        plots.attention_maps(np.ones((2, 2)), keys=["ich"])


def test_scores_and_bars():
    figure = plots.precision_recall({"model": ([1, 0.5], [0.5, 1])}, chosen=(0.5, 1.0))
    assert figure.axes[0].lines[1].get_label() == "threshold chosen"
    figure = plots.score_histogram(
        {"normal": [0.1, 0.2], "outlier": [3.0]}, threshold=1.0, log_x=True
    )
    assert figure.axes[0].get_xscale() == "log"
    with pytest.raises(ValueError, match="no finite score"):
        plots.score_histogram({"a": [float("nan")]})
    assert len(plots.bars({"x": 0.5, "y": -0.1}, errors={"x": 0.1}).axes[0].patches) == 2
    with pytest.raises(ValueError, match="2 true values and 1 predictions"):
        plots.predicted_and_actual([1, 2], [1])


def test_pictures_are_files_and_one_page_that_needs_none(tmp_path):
    for folder in ("a", "b"):
        figures = {"training_curves": plots.training_curves({"loss": [2, 1]})}
        plots.write_pictures(
            tmp_path / folder, figures, title="A & B", captions={"training_curves": "Falls."}
        )
    assert sorted(path.name for path in (tmp_path / "a").iterdir()) == [
        "index.html",
        "training_curves.png",
    ]
    for name in ("index.html", "training_curves.png"):
        assert (tmp_path / "a" / name).read_bytes() == (tmp_path / "b" / name).read_bytes()
    page = (tmp_path / "a" / "index.html").read_text()
    (data,) = re.findall('src="data:image/png;base64,([^"]+)"', page)
    assert base64.b64decode(data) == (tmp_path / "a" / "training_curves.png").read_bytes()
    assert "A &amp; B" in page
    assert "Falls." in page
    assert not re.findall(r"(?:src|href)=.(?!data:)", page)


def test_names_of_pictures_are_names_of_files(tmp_path):
    with pytest.raises(ValueError, match=r"Received: '\.\./x'"):
        plots.write_pictures(tmp_path, {"../x": plots.new_figure()})
    with pytest.raises(ValueError, match="captions names 'other'. Figures: one"):
        plots.write_pictures(tmp_path, {"one": plots.new_figure()}, captions={"other": ""})


def test_pyplot_is_never_imported():
    code = (
        "import sys; from penstock import plots; assert 'matplotlib' not in sys.modules; "
        "plots.training_curves({'loss': [1]}); print('matplotlib.pyplot' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"


def test_a_learning_rate_curve_marks_the_suggestion_and_cuts_off_what_diverged():
    rates = [1e-4, 1e-3, 1e-2, 1e-1]
    figure = plots.learning_rate_curve(
        rates, [2.0, 1.5, 1.0, 900.0], [2.0, 1.8, 1.4, 400.0], suggested=1e-2
    )
    (axes,) = figure.axes
    assert [line.get_label() for line in axes.lines] == [
        "of each batch",
        "smoothed",
        "suggested: 0.01",
    ]
    assert axes.get_xscale() == "log"
    assert axes.get_ylim()[1] < 5
    with pytest.raises(ValueError, match="4 rates, 1 losses"):
        plots.learning_rate_curve(rates, [1.0], rates)


def test_a_map_of_vectors_shows_where_they_differ_most():
    spread = {
        "a": [5.0, 0.0, 0.0],
        "b": [-5.0, 0.1, 0.0],
        "c": [0.0, 2.0, 0.1],
        "other": [0, 0, 99],
    }
    figure = plots.map_of_vectors({"first": ["a", "b"], "second": ["c"]}, spread, named=["a"])
    first, second = figure.axes[0].collections
    x, y = np.array(first.get_offsets()).T
    assert x == pytest.approx([5, -5], abs=0.1)
    assert y == pytest.approx([second.get_offsets()[0][1] * -0.5] * 2, abs=0.2)
    assert [text.get_text() for text in figure.axes[0].texts] == ["a"]
    with pytest.raises(ValueError, match="three vectors. Received: 2"):
        plots.map_of_vectors({"first": ["a", "b"]}, spread)
