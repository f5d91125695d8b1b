"""The results of a comparison of examples, as pandas tables."""

from collections import defaultdict
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from penstock.data_validation.skew.messages import message_class

if TYPE_CHECKING:
    import pandas as pd


def _table(protos: Iterable[Any], kind: str) -> "pd.DataFrame":
    import pandas as pd

    columns = [field.name for field in message_class(kind).DESCRIPTOR.fields]
    rows = [[getattr(proto, column) for column in columns] for proto in protos]
    return pd.DataFrame(rows, columns=columns)


def get_skew_result_dataframe(skew_results: Iterable[Any]) -> "pd.DataFrame":
    """Return FeatureSkew messages as a table, one row per feature, sorted by name."""
    table = _table(skew_results, "FeatureSkew")
    return table.sort_values("feature_name").reset_index(drop=True)


def get_match_stats_dataframe(match_stats: Any) -> "pd.DataFrame":
    """Return a MatchStats message as a table of one row."""
    return _table([match_stats], "MatchStats")


def get_confusion_count_dataframes(confusion: Iterable[Any]) -> "dict[str, pd.DataFrame]":
    """Return ConfusionCount messages as a table for each feature.

    Returns:
        By feature, the pairs of unequal values: how often they occur together, and how often each
        value occurs on its side.

    Example:
        >>> get_confusion_count_dataframes(found.confusion)["city"].columns.tolist()
        ['Base value', 'Test value', 'Pair count', 'Base count', 'Test count']
    """
    import pandas as pd

    by_feature: dict[str, list[tuple[bytes, bytes, int]]] = defaultdict(list)
    for entry in confusion:
        by_feature[entry.feature_name].append(
            (entry.base.bytes_value, entry.test.bytes_value, entry.count)
        )
    tables = {}
    for feature, pairs in by_feature.items():
        table = pd.DataFrame(pairs, columns=["Base value", "Test value", "Pair count"])
        for side in ("Base", "Test"):
            counts = table.groupby(f"{side} value")["Pair count"]
            table[f"{side} count"] = counts.transform("sum")
        share = table["Pair count"] / table["Base count"]
        unequal = table.assign(share=share)[table["Base value"] != table["Test value"]]
        ordered = unequal.sort_values(["Base value", "share"]).drop(columns="share")
        tables[feature] = ordered.reset_index(drop=True)
    return tables
