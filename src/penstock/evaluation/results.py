"""An evaluation's files: TensorFlow Model Analysis's own, and the checks as JSON.

`tfma.load_eval_result` and `tfma.load_validation_result` read what is written here.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from google.protobuf import json_format

from penstock.evaluation.config import EvalRun
from penstock.evaluation.keys import (
    MetricKey,
    SliceKey,
    slice_key_from_proto,
    slice_key_to_proto,
)
from penstock.evaluation.messages import message_class
from penstock.evaluation.records import read_messages
from penstock.evaluation.slices.cross_slices import CrossSliceResult
from penstock.evaluation.validation_messages import validation_message
from penstock.evaluation.worst_rows import write_worst_rows
from penstock.io import TFRecordWriter

if TYPE_CHECKING:
    from penstock.evaluation.engine import Evaluation
    from penstock.evaluation.intervals.confidence_interval import ConfidenceInterval
    from penstock.evaluation.slices.results import SliceResult

EVAL_CONFIG_FILE = "eval_config.json"
METRICS_FILE = "metrics-00000-of-00001.tfrecord"
PLOTS_FILE = "plots-00000-of-00001.tfrecord"
ATTRIBUTIONS_FILE = "attributions-00000-of-00001.tfrecord"
VALIDATIONS_FILE = "validations.tfrecord"
CHECKS_FILE = "threshold_checks.json"

_TFMA_VERSION = "0.52.0"
_ERROR = "__ERROR__"
# TFMA puts plots of these default names together under one nameless key.
_NAMELESS_PLOTS = ("confusion_matrix_plot", "calibration_plot")


def write_evaluation(evaluation: Evaluation, folder: str, *, data_location: str = "") -> None:
    """Write an evaluation.

    Args:
        evaluation: The result of `evaluate`.
        folder: The folder to write; created if missing.
        data_location: The location of the examples, for the record.
    """
    root = Path(folder)
    root.mkdir(parents=True, exist_ok=True)
    run = EvalRun(
        eval_config=evaluation.config,
        version=_TFMA_VERSION,
        data_location=data_location or "<user provided examples>",
        file_format="tfrecords",
        # The folder's own name: a path would make equal evaluations differ by where they were made.
        model_locations={name: Path(path).name for name, path in evaluation.model_paths.items()},
    )
    fields = json_format.MessageToDict(run)
    # A map of a message comes in any order.
    fields["modelLocations"] = dict(sorted(fields["modelLocations"].items()))
    (root / EVAL_CONFIG_FILE).write_text(json.dumps(fields, indent=2) + "\n")
    slices: list[SliceResult | CrossSliceResult] = [*evaluation.slices, *evaluation.cross_slices]
    _write(root / METRICS_FILE, (_metrics_message(result) for result in slices))
    disabled = evaluation.config.options.disabled_outputs.values
    if "plots" not in disabled:
        _write(root / PLOTS_FILE, (_plots_message(result) for result in slices))
    if "attributions" not in disabled:
        _write(root / ATTRIBUTIONS_FILE, (_attributions_message(result) for result in slices))
    _write(root / VALIDATIONS_FILE, [validation_message(evaluation.validation)])
    checks = json.dumps(evaluation.validation.to_dict(), indent=2)
    (root / CHECKS_FILE).write_text(checks + "\n")
    if evaluation.worst_rows is not None:
        write_worst_rows(evaluation.worst_rows, folder)


def read_metrics(folder: str) -> list[tuple[SliceKey, dict[MetricKey, Any]]]:
    """Read the metrics by slice, ours or TFMA's.

    Args:
        folder: An evaluation's folder.

    Returns:
        Pairs of slice and values: floats, arrays, or messages of structured values. Comparisons of slices
        are not among them; `read_cross_slice_metrics` reads these.
    """
    return [
        (slice_key_from_proto(message.slice_key), _values(message))
        for message in read_messages(folder, "metrics")
        if not message.HasField("cross_slice_key")
    ]


def read_cross_slice_metrics(
    folder: str,
) -> list[tuple[SliceKey, SliceKey, dict[MetricKey, Any]]]:
    """Read the comparisons of slices, ours or TFMA's.

    Args:
        folder: An evaluation's folder.

    Returns:
        The baseline's slice, the other, and the first one's values minus the other's.
    """
    result = []
    for message in read_messages(folder, "metrics"):
        if message.HasField("cross_slice_key"):
            pair = message.cross_slice_key
            keys = (pair.baseline_slice_key, pair.comparison_slice_key)
            baseline, comparison = map(slice_key_from_proto, keys)
            result.append((baseline, comparison, _values(message)))
    return result


def _values(message: Any) -> dict[MetricKey, Any]:
    return {
        MetricKey.from_proto(entry.key): _value_from_proto(entry.value)
        for entry in message.metric_keys_and_values
    }


def read_plots(folder: str) -> list[tuple[SliceKey, list[tuple[MetricKey, Any]]]]:
    """Read the plots by slice as `PlotData` messages, ours or TFMA's."""
    result = []
    for message in read_messages(folder, "plots"):
        if message.HasField("cross_slice_key"):
            continue
        plots = []
        for entry in message.plot_keys_and_values:
            plots.append((MetricKey.from_proto(entry.key), entry.value))
        result.append((slice_key_from_proto(message.slice_key), plots))
    return result


def read_validation(folder: str) -> Any:
    """Read the `ValidationResult` message, ours or TFMA's; None without one."""
    return next(read_messages(folder, "validations"), None)


def read_checks(folder: str) -> Mapping[str, Any] | None:
    """Read the threshold checks as data; None where TFMA wrote the folder.

    Raises:
        ValueError: If the file is damaged.
    """
    file = Path(folder, CHECKS_FILE)
    if not file.exists():
        return None
    content = json.loads(file.read_text())
    if not isinstance(content, dict) or "checks" not in content:
        raise ValueError(f"{file} is damaged: it holds no checks")
    return content


def read_eval_config(folder: str) -> Any:
    """Read the `EvalConfig` with which a folder was written; None without one."""
    file = Path(folder, EVAL_CONFIG_FILE)
    if not file.exists():
        return None
    return json_format.Parse(file.read_text(), EvalRun(), ignore_unknown_fields=True).eval_config


def _write(path: Path, messages: Iterable[Any]) -> None:
    with TFRecordWriter(str(path), "") as writer:
        writer.write_all(message.SerializeToString(deterministic=True) for message in messages)


def _key_to_proto(result: SliceResult | CrossSliceResult, message: Any) -> None:
    if isinstance(result, CrossSliceResult):
        pair = message.cross_slice_key
        slice_key_to_proto(result.baseline, pair.baseline_slice_key)
        slice_key_to_proto(result.key, pair.comparison_slice_key)
    else:
        slice_key_to_proto(result.key, message.slice_key)


def _metrics_message(result: SliceResult | CrossSliceResult) -> Any:
    message = message_class("MetricsForSlice")()
    _key_to_proto(result, message)
    if result.error:
        message.metrics[_ERROR].debug_message = result.error
    for key, value in _sorted(result.metrics):
        entry = message.metric_keys_and_values.add()
        key.to_proto(entry.key)
        _value_to_proto(value, entry.value)
        if key in result.intervals:
            _interval_to_proto(result.intervals[key], entry.confidence_interval)
    if result.interval_error:
        entry = message.metric_keys_and_values.add()
        MetricKey(_ERROR).to_proto(entry.key)
        entry.value.bytes_value = result.interval_error.encode()
    return message


def _interval_to_proto(interval: ConfidenceInterval, message: Any) -> None:
    _value_to_proto(interval.lower, message.lower_bound)
    _value_to_proto(interval.upper, message.upper_bound)
    _value_to_proto(interval.standard_error, message.standard_error)
    message.degrees_of_freedom.value = interval.degrees_of_freedom


def _plots_message(result: SliceResult | CrossSliceResult) -> Any:
    message = message_class("PlotsForSlice")()
    _key_to_proto(result, message)
    entries: dict[MetricKey, Any] = {}
    # Plots are not compared, so a comparison has none.
    plots = {} if isinstance(result, CrossSliceResult) else result.plots
    for key, plot in _sorted(plots):
        if key.name in _NAMELESS_PLOTS:
            key = replace(key, name="")
        if key not in entries:
            entries[key] = message.plot_keys_and_values.add()
            key.to_proto(entries[key].key)
        plot.to_plot(entries[key].value)
    return message


def _attributions_message(result: SliceResult | CrossSliceResult) -> Any:
    message = message_class("AttributionsForSlice")()
    _key_to_proto(result, message)
    attributions = {} if isinstance(result, CrossSliceResult) else result.attributions
    for key, values in _sorted(attributions):
        entry = message.attributions_keys_and_values.add()
        key.to_proto(entry.key)
        for name, value in values.items():
            _value_to_proto(value, entry.values[name])
    return message


def _sorted(values: Mapping[MetricKey, Any]) -> Iterator[tuple[MetricKey, Any]]:
    yield from sorted(values.items(), key=lambda item: str(item[0]))


def _value_to_proto(value: Any, message: Any) -> None:
    if isinstance(value, np.ndarray):
        array = message.array_value
        array.data_type = array.FLOAT64
        array.shape.extend(value.shape)
        array.float64_values.extend(value.reshape(-1).tolist())
    elif isinstance(value, float):
        message.double_value.value = value
    else:
        value.to_proto(message)


def _value_from_proto(message: Any) -> Any:
    kind = message.WhichOneof("type")
    value = getattr(message, kind)
    if kind == "double_value":
        return value.value
    if kind == "bytes_value":
        return value.decode(errors="replace")
    if kind == "array_value":
        columns = (
            value.float64_values,
            value.float32_values,
            value.int64_values,
            value.int32_values,
        )
        values: Any = next((column for column in columns if len(column)), [])
        return np.array(values, dtype=np.float64).reshape(tuple(value.shape))
    return value
