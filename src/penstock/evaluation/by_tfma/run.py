"""Runs TFMA in a process of its own, and adds what it computed to the slices."""

from __future__ import annotations

import json
import logging
import os
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from importlib.util import find_spec
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any

from google.protobuf import json_format

from penstock.evaluation.keys import MetricKey, SliceKey, slice_key_from_proto
from penstock.evaluation.messages import message_class
from penstock.evaluation.requested_metrics import metric_requests
from penstock.io import read_tfrecords

if TYPE_CHECKING:
    from penstock.evaluation.slices.results import SliceResult

_LOG = logging.getLogger(__name__)
_INSTALL = 'pip install "tensorflow-model-analysis>=0.52,<0.53"'


@dataclass(frozen=True)
class StoredValue:
    """A value as TFMA wrote it: neither a number nor an array of numbers."""

    message: Any

    def to_proto(self, message: Any) -> None:
        """Fill a `MetricValue` message."""
        message.CopyFrom(self.message)

    def to_plot(self, message: Any) -> None:
        """Fill a `PlotData` message."""
        message.MergeFrom(self.message)


def add_values_by_tfma(
    slices: Sequence[SliceResult],
    config: Any,
    models: Mapping[str, str],
    files: Sequence[str],
    file_format: str,
    modules: Mapping[str, ModuleType],
) -> None:
    """Evaluate what is left to TFMA, and add its values to the slices' results.

    Args:
        slices: The results of the other metrics.
        config: The resolved EvalConfig of the metrics that are left, from `left_config`.
        models: The SavedModels' folders by name.
        files: Shards of tf.Examples.
        file_format: Their format.
        modules: User modules by name.

    Raises:
        ValueError: If TFMA is not installed, cannot read these files or models, or fails.
    """
    names = sorted({metric.class_name for spec in config.metrics_specs for metric in spec.metrics})
    listed = ", ".join(names)
    if find_spec("tensorflow_model_analysis") is None:
        raise ValueError(
            f"Only TFMA computes {listed}, and it is not installed here: {_INSTALL}. Or leave them out."
        )
    if not file_format.startswith("tfrecords"):
        raise ValueError(
            f"Only TFMA computes {listed}, and it reads TFRecords. Received: {file_format} files"
        )
    for path in models.values():
        if not Path(path, "saved_model.pb").exists():
            raise ValueError(
                f"Only TFMA computes {listed}, and it reads SavedModels. {path} is none."
            )
    _LOG.info("Computed by TFMA on Beam, in a process of its own: %s.", listed)
    with tempfile.TemporaryDirectory() as output:
        request = {
            "config": json_format.MessageToDict(config, preserving_proto_field_name=True),
            "models": dict(models),
            "files": list(files),
            "output": output,
            "modules": _files_of(modules),
        }
        _run(request, listed)
        _add_metrics(slices, config, output)
        _add_plots(slices, output)


def _files_of(modules: Mapping[str, ModuleType]) -> dict[str, str]:
    found = {name: getattr(module, "__file__", None) for name, module in modules.items()}
    return {name: file for name, file in found.items() if file}


def _run(request: dict[str, Any], listed: str) -> None:
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
    environment.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    done = subprocess.run(
        [sys.executable, "-m", "penstock.evaluation.by_tfma.pipeline"],
        input=json.dumps(request),
        capture_output=True,
        text=True,
        env=environment,
        check=False,
    )
    if done.returncode != 0:
        raise ValueError(
            f"TFMA, which alone computes {listed}, failed:\n{_last_lines(done.stderr)}"
        )


def _last_lines(text: str, count: int = 15) -> str:
    return "\n".join(text.strip().splitlines()[-count:])


def _records(output: str, kind: str, message: str) -> dict[SliceKey, Any]:
    found: dict[SliceKey, Any] = {}
    for file in sorted(Path(output).glob(f"{kind}-*.tfrecord")):
        for record in read_tfrecords(str(file), compression=""):
            parsed = message_class(message).FromString(record)
            found.setdefault(slice_key_from_proto(parsed.slice_key), parsed)
    return found


def _add_metrics(slices: Sequence[SliceResult], config: Any, output: str) -> None:
    requested: dict[str, list[MetricKey]] = {}
    for request in metric_requests(config):
        requested.setdefault(request.key.name, []).append(request.key)
    found = _records(output, "metrics", "MetricsForSlice")
    for result in slices:
        if result.key not in found or result.error:
            continue
        for entry in found[result.key].metric_keys_and_values:
            key = _as_requested(MetricKey.from_proto(entry.key), requested)
            result.metrics.setdefault(key, _value(entry.value))


def _as_requested(key: MetricKey, requested: Mapping[str, list[MetricKey]]) -> MetricKey:
    """Return the key that was asked for: some of TFMA's metrics leave model or weighting out of theirs."""
    keys = requested.get(key.name, [])
    if key in keys or key.is_diff or len(keys) != 1:
        return key
    return replace(keys[0], sub_key=key.sub_key, aggregation=key.aggregation)


def _value(message: Any) -> Any:
    if message.WhichOneof("type") == "double_value":
        return float(message.double_value.value)
    return StoredValue(message)


def _add_plots(slices: Sequence[SliceResult], output: str) -> None:
    found = _records(output, "plots", "PlotsForSlice")
    for result in slices:
        if result.key in found and not result.error:
            for entry in found[result.key].plot_keys_and_values:
                result.plots.setdefault(MetricKey.from_proto(entry.key), StoredValue(entry.value))
