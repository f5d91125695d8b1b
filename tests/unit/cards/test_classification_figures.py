from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from google.protobuf import json_format

from penstock.cards.classification_figures import classification_figures
from penstock.cards.evaluation_pictures import write_evaluation_pictures
from penstock.evaluation import MetricKey
from penstock.evaluation.keys import SubKey, slice_key_to_proto
from penstock.evaluation.messages import message_class
from penstock.io import TFRecordWriter

GOLDEN = Path(__file__).resolve().parents[2] / "golden"


def _written(folder: Path, key: MetricKey, plot: dict[str, Any], slice_key: Any = ()) -> str:
    message = message_class("PlotsForSlice")()
    slice_key_to_proto(slice_key, message.slice_key)
    entry = message.plot_keys_and_values.add()
    key.to_proto(entry.key)
    json_format.ParseDict(plot, entry.value)
    folder.mkdir(exist_ok=True)
    with TFRecordWriter(str(folder / "plots-00000-of-00001.tfrecord"), "") as writer:
        writer.write(message.SerializeToString())
    return str(folder)


def _curve(count: int) -> dict[str, Any]:
    """Return the plot of a perfectly sorted half-half set at `count` thresholds."""
    matrices = []
    for number in range(count + 1):
        threshold = number / count
        recall, rate = min(1.0, 2 - 2 * threshold), max(0.0, 1 - 2 * threshold)
        matrices.append({
            "threshold": threshold, "recall": recall, "false_positive_rate": rate,
            "true_positives": 50 * recall, "false_negatives": 50 - 50 * recall,
            "false_positives": 50 * rate, "true_negatives": 50 - 50 * rate,
        })  # fmt: skip
    return {"confusion_matrix_at_thresholds": {"matrices": matrices}}


def test_a_curve_and_the_matrix_at_one_half(tmp_path: Path) -> None:
    figures = classification_figures(_written(tmp_path / "e", MetricKey("roc"), _curve(1000)))
    rates, recalls, thresholds = zip(*figures.roc, strict=True)
    assert (rates[0], recalls[0]) == (0, 0)
    assert (rates[-1], recalls[-1]) == (1, 1)
    assert list(thresholds) == sorted(thresholds, reverse=True)
    assert 100 < len(figures.roc) <= 800
    assert figures.classes == ("0", "1")
    assert figures.cells == [[50, 0], [0, 50]]


def test_the_matrix_of_several_classes_that_tfma_wrote() -> None:
    figures = classification_figures(str(GOLDEN / "tfma/jackknife"))
    assert figures.classes == ["class 0", "class 1", "class 2"]
    assert figures.cells == [[74, 4, 7], [51, 11, 23], [6, 2, 62]]


def test_both_are_drawn_as_pictures(tmp_path: Path) -> None:
    folder = _written(tmp_path / "e", MetricKey("roc"), _curve(100))
    drawn = write_evaluation_pictures(folder)
    assert [path.name for path in drawn] == ["confusion_matrix.png", "roc.png"]
    assert all(path.read_bytes().startswith(b"\x89PNG") for path in drawn)
    assert (tmp_path / "e/pictures/index.html").is_file()


def test_nothing_is_drawn_of_an_evaluation_without_plots(tmp_path: Path) -> None:
    folder = _written(tmp_path / "e", MetricKey("loss"), {}, (("kind", "k1"),))
    assert write_evaluation_pictures(folder) == []
    assert not (tmp_path / "e/pictures").exists()


@pytest.mark.parametrize(
    ("key", "slice_key"),
    [(MetricKey("roc"), (("kind", "k1"),))],
)
def test_slices_alone_are_not_shown_as_the_whole(tmp_path: Path, key: Any, slice_key: Any) -> None:
    folder = _written(tmp_path / "e", key, _curve(10), slice_key)
    assert classification_figures(folder).roc == ()


def test_the_curve_of_the_only_class(tmp_path: Path) -> None:
    key = MetricKey("roc", sub_key=SubKey(class_id=1))
    figures = classification_figures(_written(tmp_path / "e", key, _curve(10)))
    assert len(figures.roc) == 11
    assert figures.cells == ()


def test_an_evaluation_without_plots() -> None:
    folder = GOLDEN / "penguin/pipeline_root/Evaluator/evaluation/8"
    assert classification_figures(str(folder)).cells == ()
