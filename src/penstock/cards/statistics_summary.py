"""What a card shows of a `DatasetFeatureStatisticsList`: a few numbers and a histogram a feature."""

from __future__ import annotations

from pathlib import Path
from typing import Any

_BARS = 20


def summarize_statistics(folder: str, splits: list[str]) -> dict[str, Any]:
    """Return each split's size and features.

    Args:
        folder: The folder of an ExampleStatistics artifact.
        splits: Its splits.

    Returns:
        By split `num_examples` and `features`; by feature `type`, `missing` (a share), `values` (text), and
        `bars` (pairs of name and count), for numbers also `bins` (where each bar begins and ends).
    """
    from tensorflow_metadata.proto.v0 import statistics_pb2

    summary = {}
    for split in splits:
        data = Path(folder, f"Split-{split}", "FeatureStats.pb").read_bytes()
        dataset = statistics_pb2.DatasetFeatureStatisticsList.FromString(data).datasets[0]
        names = {f.name or ".".join(f.path.step): f for f in dataset.features}
        summary[split] = {
            "num_examples": int(dataset.num_examples),
            "features": {
                name: _summarize(feature, int(dataset.num_examples))
                for name, feature in sorted(names.items())
            },
        }
    return summary


def _summarize(feature: Any, num_examples: int) -> dict[str, Any]:
    from penstock.data_validation.missing_cells import rows_with_value

    kind = feature.WhichOneof("stats")
    stats: Any = getattr(feature, kind) if kind else None
    common = stats.common_stats if kind else None
    present = rows_with_value(common) if common is not None else 0
    summary: dict[str, Any] = {
        "type": type(feature).Type.Name(feature.type),
        "missing": 1.0 - present / num_examples if num_examples else 0.0,
        "values": "",
        "bars": [],
    }
    if kind == "num_stats":
        summary["mean"], summary["std_dev"] = float(stats.mean), float(stats.std_dev)
        summary["bins"] = []
        summary["min"], summary["max"] = float(stats.min), float(stats.max)
        standard = [h for h in stats.histograms if h.type == 0] or list(stats.histograms)
        for bucket in standard[0].buckets if standard else ():
            low, high = bucket.low_value, bucket.high_value
            summary["bars"].append([f"{low:.4g} to {high:.4g}", float(bucket.sample_count)])
            summary["bins"].append([float(low), float(high)])
    elif kind == "string_stats":
        summary["unique"] = int(stats.unique)
        for bucket in list(stats.rank_histogram.buckets)[:_BARS]:
            summary["bars"].append([bucket.label, float(bucket.sample_count)])
    return summary
