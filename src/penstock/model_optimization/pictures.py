"""The report's picture: size and latency of both models as bars."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from penstock.plots import bars, write_pictures

_MODELS = ("original", "optimized")


def draw(report: Mapping[str, Any], folder: Path) -> None:
    """Draw size, latency and metric of both models.

    Args:
        report: The report's value.
        folder: Where to write.
    """
    sizes: dict[str, float] = {}
    times: dict[str, float] = {}
    for who in _MODELS:
        found = report[who]
        sizes[f"{who}, file"] = found["file_bytes"] / 1000
        sizes[f"{who}, gzip"] = found["gzip_bytes"] / 1000
        for name, rows in (("one_row_ms", "1 row"), ("batch_ms", f"{report['batch_size']} rows")):
            for kind in ("median", "p99"):
                times[f"{who}, {rows}, {kind}"] = found[name][kind]
    figures = {
        "size": bars(sizes, x_label="kB"),
        "latency": bars(times, x_label="milliseconds"),
    }
    metrics = {who: report[who]["metric"] for who in _MODELS}
    if None not in metrics.values():
        figures["metric"] = bars(metrics, x_label=report["metric"])
    write_pictures(folder, figures, title=f"{report['technique']}: original and optimized")
