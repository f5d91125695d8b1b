"""What the training doctor found, as a table."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from penstock.cards.markup import Markup, tag
from penstock.cards.tables import pill, table

HEADING = "What the training doctor found"


def findings_table(findings: Sequence[Mapping[str, Any]]) -> Markup | None:
    """Return one row for each finding, or None without any.

    Args:
        findings: The values of each: `Finding.values()`.
    """
    if not findings:
        return None
    head = [tag("th", name) for name in ("Finding", "Step", "What", "What to do")]
    rows = [
        tag(
            "tr",
            tag("td", pill(each["code"], "bad" if each["severity"] == "error" else "soft")),
            tag("td", "" if each["step"] is None else f"{each['step']:,}", class_="num"),
            tag("td", each["message"], class_="wide"),
            tag("td", each["advice"], class_="wide"),
        )
        for each in findings
    ]
    return table(head, rows)
