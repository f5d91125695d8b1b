"""The page of a ModelEvaluation: the verdict by threshold, metrics by slice, plots, the worst rows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from penstock.artifacts import Artifact
from penstock.cards.artifact_pages.blocks import section, text_block, tiles, verdict
from penstock.cards.attributions_section import attribution_tables
from penstock.cards.beside_baseline import beside_baseline
from penstock.cards.charts import number
from penstock.cards.evaluation_plots import figure_block, plot_figures, plots_of
from penstock.cards.html_page import PageContent
from penstock.cards.markup import Child, Markup, tag
from penstock.cards.metric_words import (
    are_weighted,
    is_of_the_whole,
    metric_words,
    quality_first,
)
from penstock.cards.slice_metrics import (
    OVERALL,
    SliceMetrics,
    baseline_names,
    collect_slice_metrics,
    primary_metric,
    worst_first,
)
from penstock.cards.slice_table import SCRIPT, plain_table, slice_table
from penstock.cards.thresholds_section import thresholds_section
from penstock.cards.worst_rows_section import worst_rows_tables

_HEADLINES = 5
_SLICES_WITH_PLOTS = 8
_MOST_REASONS = 10


def content(artifact: Artifact) -> PageContent:
    """Return the content of the page."""
    return evaluation_content(artifact.uri)


def evaluation_content(folder: str) -> PageContent:
    """Return what the page of an evaluation shows, ours or TFMA's.

    Args:
        folder: The evaluation's folder.

    Raises:
        ValueError: If it holds no metrics.
    """
    from penstock.evaluation import read_checks
    from penstock.evaluation.class_names import read_class_names
    from penstock.evaluation.threshold_rows import threshold_rows
    from penstock.evaluation.worst_rows import read_worst_rows

    told = read_checks(folder)
    checks = list(told["checks"]) if told else list(threshold_rows(folder))
    metrics = collect_slice_metrics(folder, checks)
    if not metrics.slices:
        raise ValueError(f"{folder} holds no metrics (metrics-*.tfrecord)")
    if OVERALL in metrics.slices:
        whole = metrics.slices.index(OVERALL)
        metrics = metrics.of([whole, *(i for i in range(len(metrics.slices)) if i != whole)])
    overall = metrics.overall()
    primary = primary_metric(overall, checks)
    class_names = read_class_names(folder)
    head: list[Child] = [_verdict(folder, told), tiles(_headlines(overall))]
    found = thresholds_section(
        {"evaluation": {"checks": checks, "slices": [{"metrics": overall}]}}, class_names
    )
    body: list[Child] = []
    if found is not None:
        body.append(section("Thresholds", found[2]))
    compared = beside_baseline(metrics, class_names)
    if compared is not None:
        of = "The whole data set" if metrics.slices[0] == OVERALL else metrics.slices[0]
        body.append(section(of, compared))
    if primary is not None:
        metrics = worst_first(metrics, *primary)
        body.append(
            section(
                _heading(metrics, primary[0]), slice_table(metrics, primary, checks, class_names)
            )
        )
    body.append(_compared(folder))
    body.append(_plots(folder, metrics, class_names))
    body.append(_attributions(folder, metrics.slices[0], class_names))
    worst = read_worst_rows(folder)
    if worst is not None:
        body.append(section("The worst rows", worst_rows_tables(worst, class_names)))
    body.append(_config(folder))
    script = SCRIPT if primary is not None else ""
    return PageContent(head=head, body=body, script=script)


def _heading(metrics: SliceMetrics, primary: str) -> str:
    if len(metrics.slices) < 3:
        return "Metrics by slice"
    words = metric_words(primary, all_weighted=are_weighted(metrics.columns))
    return f"Metrics by slice, worst {words} first"


def _headlines(overall: Mapping[str, float]) -> list[tuple[object, str]]:
    weighted = are_weighted(overall)
    whole_first = sorted(overall, key=lambda name: not is_of_the_whole(name))
    names = quality_first(whole_first)
    return [
        (number(overall[name]), metric_words(name, all_weighted=weighted))
        for name in names[:_HEADLINES]
    ]


def _plots(folder: str, metrics: SliceMetrics, class_names: Sequence[str]) -> Markup | None:
    """Return the plots of the whole, and, folded away, those of the worst slices."""
    from penstock.evaluation.keys import MetricKey, message_slice_name
    from penstock.evaluation.records import read_messages

    wanted = metrics.slices[: _SLICES_WITH_PLOTS + 1]
    blocks: dict[str, Markup] = {}
    baselines = baseline_names(folder)
    for message in read_messages(folder, "plots"):
        name = message_slice_name(message)
        if name not in wanted:
            continue
        pairs = [(MetricKey.from_proto(e.key), e.value) for e in message.plot_keys_and_values]
        # The baseline has the second colour, as in the tables.
        pairs.sort(key=lambda pair: pair[0].model_name in baselines)
        figures = plot_figures(plots_of(pairs, class_names), class_names)
        if figures:
            blocks[name] = figure_block(figures)
    if not blocks:
        text = (
            "No plots were asked for. The metrics ConfusionMatrixPlot, CalibrationPlot and "
            "MultiClassConfusionMatrixPlot draw curves, calibration, residuals and confusion matrices."
        )
        return section("Plots", tag("p", text, class_="muted"))
    shown = [name for name in wanted if name in blocks]
    parts: list[Child] = [blocks[shown[0]]]
    if shown[0] != OVERALL:
        parts.insert(0, tag("p", shown[0]))
    parts += [
        tag("details", tag("summary", f"Plots of {name}"), blocks[name]) for name in shown[1:]
    ]
    return section("Plots", parts)


def _attributions(folder: str, name: str, class_names: Sequence[str]) -> Markup | None:
    """Return the attributions of the whole, or of the first slice."""
    from penstock.evaluation.keys import message_slice_name
    from penstock.evaluation.records import read_messages

    for message in read_messages(folder, "attributions"):
        if message_slice_name(message) == name:
            tables = attribution_tables(message, class_names)
            return section("Attributions", tables) if tables else None
    return None


def _compared(folder: str) -> Markup | None:
    """Return the differences of slices to each other, where they were asked for."""
    metrics = collect_slice_metrics(folder, compared=True)
    if not metrics.slices:
        return None
    text = "The second slice's metrics minus the first slice's."
    return section("Slices compared", tag("p", text), plain_table(metrics))


def _config(folder: str) -> Markup | None:
    from google.protobuf import text_format

    from penstock.evaluation import read_eval_config

    config = read_eval_config(folder)
    if config is None:
        return None
    text = text_block(text_format.MessageToString(config))
    return section("The EvalConfig", tag("details", tag("summary", "as it was used"), text))


def _verdict(folder: str, checks: Mapping[str, Any] | None) -> Markup | None:
    from penstock.evaluation import read_validation

    if checks is not None:
        reasons = list(checks["reasons"])
        shown = reasons[:_MOST_REASONS]
        if len(reasons) > len(shown):
            shown.append(f"and {number(len(reasons) - len(shown))} more")
        return verdict(_sentence(checks), shown, ok=bool(checks["ok"]))
    validation = read_validation(folder)
    return None if validation is None else _validation(validation)


def _validation(validation: Any) -> Markup:
    """Return the verdict of an evaluation that TFMA wrote."""
    from penstock.evaluation import failures

    found = failures(validation)
    shown = found[:_MOST_REASONS]
    if len(found) > len(shown):
        shown.append(f"and {number(len(found) - len(shown))} more")
    ok = bool(validation.validation_ok)
    return verdict("All thresholds held" if ok else "Thresholds failed", shown, ok=ok)


def _sentence(checks: Mapping[str, Any]) -> str:
    text = str(checks["summary"]).partition(":")[0]
    return text[:1].upper() + text[1:]
