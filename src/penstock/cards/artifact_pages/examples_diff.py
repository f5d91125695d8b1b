"""The page of an ExamplesDiff: which features differ in pairs of splits, and in how many rows."""

from __future__ import annotations

from typing import Any

from penstock.artifacts import Artifact, location
from penstock.cards.artifact_pages.blocks import fact_table, row_table, verdict
from penstock.cards.html_page import PageContent
from penstock.cards.markup import Child, Markup, tag
from penstock.cards.row_preview import plain

_PAIR = "SplitPair-"
_SHOWN = 20
_MATCHES = {
    "matching_pairs_count": "pairs that were compared",
    "identifiers_count": "identifiers",
    "base_with_id_count": "rows of the base",
    "test_with_id_count": "rows of the test",
    "ids_missing_in_base_count": "identifiers missing in the base",
    "ids_missing_in_test_count": "identifiers missing in the test",
    "base_missing_id_count": "rows of the base without identifier",
    "test_missing_id_count": "rows of the test without identifier",
    "duplicate_id_count": "identifiers that come twice",
}


def content(artifact: Artifact) -> PageContent:
    """Return the content of the page."""
    files = [path for path, _ in location.list_files(artifact.uri) if path.startswith(_PAIR)]
    folders = dict.fromkeys(path.partition("/")[0] for path in files)
    differing: dict[str, None] = {}
    body: list[Child] = []
    for folder in folders:
        found = {
            name: _messages(f"{artifact.uri}/{folder}/", files, name, message)
            for name, message in (
                ("skew_stats", "FeatureSkew"),
                ("match_stats", "MatchStats"),
                ("sample_pairs", "SkewPair"),
                ("confusion", "ConfusionCount"),
            )
        }
        differing.update(dict.fromkeys(s.feature_name for s in found["skew_stats"] if s.diff_count))
        body.append(_pair(folder.removeprefix(_PAIR).replace("_", " against ", 1), found))
    if not folders:
        return PageContent(head=[verdict("Nothing was compared")])
    title = f"Differing: {', '.join(differing)}" if differing else "No difference"
    return PageContent(head=[verdict(title, ok=not differing)], body=body)


def _messages(folder: str, files: list[str], name: str, message: str) -> list[Any]:
    from penstock.data_validation.skew.messages import message_class
    from penstock.io import read_tfrecords

    pair = folder.rstrip("/").rpartition("/")[2]
    records = [
        record
        for path in files
        if path.startswith(f"{pair}/{name}-")
        for record in read_tfrecords(f"{folder}{path.partition('/')[2]}", compression="")
    ]
    return [message_class(message).FromString(record) for record in records]


def _pair(name: str, found: dict[str, list[Any]]) -> Markup:
    skew = sorted(found["skew_stats"], key=lambda each: -each.diff_count)
    columns = ["feature", "differing", "equal", "other value", "only in base", "only in test"]
    fields = ("diff_count", "match_count", "mismatch_count", "base_only", "test_only")
    rows = [[each.feature_name, *(getattr(each, field) for field in fields)] for each in skew]
    parts: list[Child] = [row_table(columns, rows) if rows else tag("p", "No pairs.")]
    for each in found["match_stats"]:
        facts = {words: getattr(each, field) for field, words in _MATCHES.items()}
        parts.append(tag("details", tag("summary", "how rows were joined"), fact_table(facts)))
    if found["sample_pairs"]:
        pairs = [
            [", ".join(pair.mismatched_features), ", ".join(pair.base_only_features),
             ", ".join(pair.test_only_features)]
            for pair in found["sample_pairs"][:_SHOWN]
        ]  # fmt: skip
        summary = f"{len(found['sample_pairs'])} sample pairs"
        titles = ["other value", "only in base", "only in test"]
        parts.append(tag("details", tag("summary", summary), row_table(titles, pairs)))
    if found["confusion"]:
        cells = [
            [
                each.feature_name,
                plain(each.base.bytes_value),
                plain(each.test.bytes_value),
                each.count,
            ]
            for each in sorted(found["confusion"], key=lambda each: -each.count)[:_SHOWN]
        ]
        parts.append(tag("h3", "Most frequent pairs of values"))
        parts.append(row_table(["feature", "base", "test", "rows"], cells))
    return tag("section", tag("h2", name), parts)
