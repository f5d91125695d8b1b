"""Cards: self-contained HTML about models, data, runs, and any artifact."""

from typing import TYPE_CHECKING

from penstock.lazy_exports import lazy_exports

if TYPE_CHECKING:
    from penstock.cards.anomalies_page import display_anomalies
    from penstock.cards.artifact_pages.facts import ArtifactFacts, RelatedArtifact
    from penstock.cards.artifact_pages.page import UnreadableArtifact, artifact_page
    from penstock.cards.artifact_pages.registry import page_entry
    from penstock.cards.html_page import HtmlPage
    from penstock.cards.markup import Markup, tag
    from penstock.cards.model_card import collect, write_model_card
    from penstock.cards.page import render
    from penstock.cards.page_of_run import run_page
    from penstock.cards.row_preview import FirstRows, NoRowsError, first_rows
    from penstock.cards.runs_side_by_side import comparison_page
    from penstock.cards.schema_page import display_schema
    from penstock.cards.statistics_page import (
        compare_slices,
        get_statistics_html,
        visualize_statistics,
    )

_MODULE_OF = {
    "ArtifactFacts": "artifact_pages.facts",
    "FirstRows": "row_preview",
    "HtmlPage": "html_page",
    "Markup": "markup",
    "NoRowsError": "row_preview",
    "RelatedArtifact": "artifact_pages.facts",
    "UnreadableArtifact": "artifact_pages.page",
    "artifact_page": "artifact_pages.page",
    "collect": "model_card",
    "compare_slices": "statistics_page",
    "comparison_page": "runs_side_by_side",
    "display_anomalies": "anomalies_page",
    "display_schema": "schema_page",
    "first_rows": "row_preview",
    "get_statistics_html": "statistics_page",
    "page_entry": "artifact_pages.registry",
    "render": "page",
    "run_page": "page_of_run",
    "tag": "markup",
    "visualize_statistics": "statistics_page",
    "write_model_card": "model_card",
}

__all__ = [
    "ArtifactFacts",
    "FirstRows",
    "HtmlPage",
    "Markup",
    "NoRowsError",
    "RelatedArtifact",
    "UnreadableArtifact",
    "artifact_page",
    "collect",
    "compare_slices",
    "comparison_page",
    "display_anomalies",
    "display_schema",
    "first_rows",
    "get_statistics_html",
    "page_entry",
    "render",
    "run_page",
    "tag",
    "visualize_statistics",
    "write_model_card",
]

__getattr__, __dir__ = lazy_exports(__name__, _MODULE_OF)
