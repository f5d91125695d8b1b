"""The page of an OptimizationReport: an optimized model beside the original."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from penstock.artifacts import Artifact, OptimizationReport
from penstock.cards.artifact_pages.blocks import fact_table, row_table, section, verdict
from penstock.cards.html_page import PageContent


def content(artifact: Artifact) -> PageContent:
    """Return the content of the page."""
    assert isinstance(artifact, OptimizationReport)
    try:
        found = artifact.value
        numbers = _numbers(found)
        judged = [
            [each["name"], each["value"], each["bound"], _passed(each)] for each in found["judged"]
        ]
        details = {
            f"{name} of {key}": value
            for name, values in found["details"].items()
            if isinstance(values, Mapping)
            for key, value in values.items()
        }
        plain = {k: v for k, v in found["details"].items() if not isinstance(v, Mapping)}
        facts = {
            "technique": found["technique"],
            **plain,
            **details,
            "held-out rows": f"{found['rows']:,}",
            "requests measured of each kind": f"{found['requests']:,}",
        }
        ok = found["ok"]
    except FileNotFoundError:
        raise FileNotFoundError(f"{artifact.value_uri} is missing") from None
    except (ValueError, TypeError, KeyError) as error:
        raise ValueError(f"{artifact.value_uri} is damaged: {error!r}") from error
    said = "The optimized model keeps its bounds"
    head = [verdict(said if ok else "The optimized model does not keep its bounds", ok=ok)]
    body = [
        section("Beside the original", row_table(["", "value", "at most", "passed"], judged)),
        section("Both models", row_table(["", "original", "optimized"], numbers)),
        section("How it was made and measured", fact_table(facts)),
    ]
    return PageContent(head=head, body=body)


def _numbers(found: Mapping[str, Any]) -> list[list[Any]]:
    original, optimized = found["original"], found["optimized"]
    rows = [
        [name, f"{original[key]:,}", f"{optimized[key]:,}"]
        for name, key in (("file, bytes", "file_bytes"), ("gzip, bytes", "gzip_bytes"))
    ]
    for name, key in (("1 row", "one_row_ms"), (f"{found['batch_size']} rows", "batch_ms")):
        rows += [
            [f"{name}, {kind}, ms", original[key][kind], optimized[key][kind]]
            for kind in ("median", "p99")
        ]
    return [*rows, [found["metric"], original["metric"], optimized["metric"]]]


def _passed(judged: Mapping[str, Any]) -> str | None:
    if judged["bound"] is None:
        return None
    return "yes" if judged["ok"] else "no"
