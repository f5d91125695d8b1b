"""The plots of an evaluation: curves, calibration, confusion matrices, residuals; models side by side."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from penstock.cards.calibration import binned_calibration, calibration_figures
from penstock.cards.charts import heatmap, line_chart, number
from penstock.cards.markup import Child, Markup, tag
from penstock.cards.tables import table

Plots = Mapping[tuple[str, str, str], Any]
"""Messages by model, output and class, of one slice."""

_UNIT = (0.0, 1.0)
_NEAR = 0.003
"""Points of a curve that are nearer than this are drawn as one."""
_MOST_CLASSES = 20
_MOST_CONFUSIONS = 30
_CHARTS_AT_ONCE = 4


def plots_of(messages: Sequence[tuple[Any, Any]], class_names: Sequence[str]) -> Plots:
    """Return the plots of one slice by model, output and class.

    Args:
        messages: Keys and `PlotData` messages, as `read_plots` returns them.
        class_names: The names of the classes; others are called by their number.
    """
    found: dict[tuple[str, str, str], Any] = {}
    for key, plot in messages:
        of = ""
        if key.sub_key is not None and key.sub_key.class_id is not None:
            of = class_name(key.sub_key.class_id, class_names)
        elif key.sub_key is not None:
            of = str(key.sub_key)
        place = (key.model_name, key.output_name, of)
        if place in found:
            found[place].MergeFrom(plot)
        else:
            found[place] = type(plot)()
            found[place].CopyFrom(plot)
    return found


def class_name(index: int, class_names: Sequence[str]) -> str:
    """Return what a class is called."""
    return class_names[index] if 0 <= index < len(class_names) else f"class {index}"


def plot_figures(plots: Plots, class_names: Sequence[str] = ()) -> list[Child]:
    """Return the figures of one slice."""
    figures: list[Child] = []
    outputs = list(dict.fromkeys(output for _, output, _ in plots))
    for output in outputs:
        own = {(model, of): plot for (model, each, of), plot in plots.items() if each == output}
        where = f" of {output}" if output else ""
        charts = [*_curves(own, where), *_calibrations(own, where)]
        charts += _binary_matrices(own, where, class_names)
        charts += _class_matrices(own, where, class_names)
        charts += _label_matrices(own, where, class_names)
        figures += charts
    return figures


def figure_block(figures: Sequence[Child]) -> Markup:
    """Return figures side by side; of very many the first, and the others folded away."""
    most = max(_CHARTS_AT_ONCE, 6)
    shown = tag("div", figures[:most], class_="figures")
    if len(figures) <= most:
        return shown
    rest = tag("div", figures[most:], class_="figures")
    summary = tag("summary", f"{len(figures) - most} more plots")
    return tag("div", shown, tag("details", summary, rest))


def _figure(title: str, *parts: Child) -> Markup:
    return tag("div", tag("h3", title), parts)


def _series(
    own: Mapping[tuple[str, str], Any],
) -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield charts: with several models one for each class, else one for all classes."""
    models = list(dict.fromkeys(model for model, _ in own))
    classes = list(dict.fromkeys(of for _, of in own))
    if len(models) > 1:
        for of in classes:
            yield of, {model: own[model, of] for model in models if (model, of) in own}
    else:
        yield "", {of or "all": own[models[0], of] for of in classes}


def _curves(own: Mapping[tuple[str, str], Any], where: str) -> Iterator[Markup]:
    drawn = {
        place: plot for place, plot in own.items() if plot.confusion_matrix_at_thresholds.matrices
    }
    if not drawn:
        return
    for of, plots in _series(drawn):
        roc, precision_recall = {}, {}
        for name, plot in plots.items():
            matrices = plot.confusion_matrix_at_thresholds.matrices
            roc[name] = thinned([(m.false_positive_rate, m.recall) for m in matrices])
            precision_recall[name] = thinned(
                [
                    (m.recall, m.precision)
                    for m in matrices
                    if m.true_positives + m.false_positives > 0
                ]
            )
        what = f"{where}, {of}" if of else where
        yield _figure(
            f"ROC curve{what}",
            line_chart(
                roc,
                x_label="false positive rate",
                y_label="recall",
                ranges=(_UNIT, _UNIT),
                reference="diagonal",
            ),
        )
        yield _figure(
            f"Precision and recall{what}",
            line_chart(
                precision_recall, x_label="recall", y_label="precision", ranges=(_UNIT, _UNIT)
            ),
        )


def thinned(curve: Sequence[tuple[float, float]]) -> list[tuple[float, float]]:
    """Return a curve without the points that lie on the one before; its ends stay."""
    kept: list[tuple[float, float]] = []
    for x, y in curve:
        if not kept or max(abs(x - kept[-1][0]), abs(y - kept[-1][1])) > _NEAR:
            kept.append((x, y))
    if kept and kept[-1] != curve[-1]:
        kept.append(curve[-1])
    return kept


def _calibrations(own: Mapping[tuple[str, str], Any], where: str) -> Iterator[Markup]:
    drawn = {
        place: plot for place, plot in own.items() if plot.calibration_histogram_buckets.buckets
    }
    if not drawn:
        return
    for of, plots in _series(drawn):
        lines = {
            name: binned_calibration(plot.calibration_histogram_buckets.buckets)
            for name, plot in plots.items()
        }
        yield from calibration_figures(lines, f"{where}, {of}" if of else where)


def _binary_matrices(
    own: Mapping[tuple[str, str], Any], where: str, class_names: Sequence[str]
) -> Iterator[Markup]:
    names = class_names if len(class_names) == 2 else ("0", "1")
    for (model, of), plot in own.items():
        matrices = plot.confusion_matrix_at_thresholds.matrices
        if not matrices or of:
            continue
        near = min(matrices, key=lambda each: abs(each.threshold - 0.5))
        cells = [
            [near.true_negatives, near.false_positives],
            [near.false_negatives, near.true_positives],
        ]
        title = f"Confusion matrix{where} at {near.threshold:.3g}{_by(model, own)}"
        yield _figure(title, heatmap(cells, names))


def _class_matrices(
    own: Mapping[tuple[str, str], Any], where: str, class_names: Sequence[str]
) -> Iterator[Markup]:
    for (model, _), plot in own.items():
        for matrix in plot.multi_class_confusion_matrix_at_thresholds.matrices[:1]:
            title = f"Confusion matrix{where}{_by(model, own)}"
            cells, names = confusion_cells(matrix, class_names)
            if len(names) <= _MOST_CLASSES:
                yield _figure(title, heatmap(cells, names))
            else:
                yield _figure(
                    f"Most frequent confusions{where}{_by(model, own)}", _pairs(cells, names)
                )


def confusion_cells(matrix: Any, class_names: Sequence[str]) -> tuple[list[list[float]], list[str]]:
    """Return the cells; a last class `none` is what TFMA calls -1: no score was high enough."""
    entries = matrix.entries
    highest = max((max(e.actual_class_id, e.predicted_class_id) for e in entries), default=0)
    count = max(highest + 1, len(class_names))
    names = [class_name(i, class_names) for i in range(count)]
    if any(e.actual_class_id < 0 or e.predicted_class_id < 0 for e in entries):
        names.append("none")
    cells = [[0.0] * len(names) for _ in names]
    for each in entries:
        cells[each.actual_class_id][each.predicted_class_id] += each.num_weighted_examples
    return cells, names


def _pairs(cells: Sequence[Sequence[float]], names: Sequence[str]) -> Markup:
    wrong = sorted(
        (
            (value, i, j)
            for i, row in enumerate(cells)
            for j, value in enumerate(row)
            if i != j and value > 0
        ),
        key=lambda each: -each[0],
    )
    rows = [
        tag(
            "tr",
            tag("td", names[i]),
            tag("td", names[j]),
            tag("td", number(value), class_="num"),
            tag("td", f"{value / (sum(cells[i]) or 1):.1%}", class_="num"),
        )
        for value, i, j in wrong[:_MOST_CONFUSIONS]
    ]
    head = [tag("th", "Actual"), tag("th", "Predicted")]
    head += [tag("th", text, class_="num") for text in ("Examples", "Of the class")]
    return table(head, rows)


def _label_matrices(
    own: Mapping[tuple[str, str], Any], where: str, class_names: Sequence[str]
) -> Iterator[Markup]:
    for (model, _), plot in own.items():
        for matrix in plot.multi_label_confusion_matrix_at_thresholds.matrices[:1]:
            entries = [e for e in matrix.entries if e.actual_class_id == e.predicted_class_id]
            entries.sort(key=lambda each: -(each.false_positives + each.false_negatives))
            rows = [
                tag(
                    "tr",
                    tag("td", class_name(each.actual_class_id, class_names)),
                    [
                        tag("td", number(value), class_="num")
                        for value in (
                            each.true_positives,
                            each.false_positives,
                            each.false_negatives,
                            each.true_negatives,
                        )
                    ],
                )
                for each in entries[:_MOST_CONFUSIONS]
            ]
            head = [tag("th", "Label")]
            head += [
                tag("th", text, class_="num")
                for text in ("Found", "Found wrongly", "Missed", "Rightly left out")
            ]
            title = f"Labels{where} at {matrix.threshold:.3g}{_by(model, own)}"
            yield _figure(title, table(head, rows))


def _by(model: str, own: Mapping[tuple[str, str], Any]) -> str:
    return f", {model}" if len({each for each, _ in own}) > 1 else ""
