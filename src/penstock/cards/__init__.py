"""Cards: self-contained HTML about a model, statistics, a schema, anomalies."""

from typing import TYPE_CHECKING

from penstock.lazy_exports import lazy_exports

if TYPE_CHECKING:
    from penstock.cards.anomalies_page import display_anomalies
    from penstock.cards.comparison_page import comparison_page
    from penstock.cards.html_page import HtmlPage
    from penstock.cards.model_card import collect, write_model_card
    from penstock.cards.page import render
    from penstock.cards.schema_page import display_schema
    from penstock.cards.statistics_page import (
        compare_slices,
        get_statistics_html,
        visualize_statistics,
    )

_MODULE_OF = {
    "HtmlPage": "html_page",
    "collect": "model_card",
    "comparison_page": "comparison_page",
    "compare_slices": "statistics_page",
    "display_anomalies": "anomalies_page",
    "display_schema": "schema_page",
    "get_statistics_html": "statistics_page",
    "render": "page",
    "visualize_statistics": "statistics_page",
    "write_model_card": "model_card",
}

__all__ = [
    "HtmlPage",
    "collect",
    "compare_slices",
    "comparison_page",
    "display_anomalies",
    "display_schema",
    "get_statistics_html",
    "render",
    "visualize_statistics",
    "write_model_card",
]

__getattr__, __dir__ = lazy_exports(__name__, _MODULE_OF)
