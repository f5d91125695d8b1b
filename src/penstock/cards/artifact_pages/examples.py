"""The page of Examples: splits, counts, formats, first rows, and what was left out as broken."""

from __future__ import annotations

from penstock.artifacts import Artifact, Examples, location
from penstock.cards.artifact_pages.blocks import (
    first_rows_section,
    row_table,
    section,
    tiles,
)
from penstock.cards.artifact_pages.image_features import image_sections
from penstock.cards.html_page import PageContent
from penstock.cards.markup import Markup, tag
from penstock.cards.row_preview import first_rows, names_of_splits, plain
from penstock.io import read_quarantine, read_row_counts, split_files
from penstock.quantities import size

_ROWS = 10
_BROKEN = 20


def content(artifact: Artifact) -> PageContent:
    """Return the content of the page."""
    assert isinstance(artifact, Examples)
    names = names_of_splits(artifact)
    counts = read_row_counts(artifact.uri) or {}
    sizes = location.list_files(artifact.uri)
    known = [counts[name] for name in names if name in counts]
    span = {**artifact.custom_properties, **artifact.properties}
    figures: list[tuple[object, str]] = [
        (sum(known) if len(known) == len(names) else "not counted", "rows"),
        (len(names), "split" if len(names) == 1 else "splits"),
        (artifact.file_format, "file format"),
        (artifact.payload_format.removeprefix("FORMAT_").lower(), "records"),
    ]
    figures += [(span[key], key) for key in ("span", "version") if span.get(key) is not None]
    rows = []
    for name in names:
        files = len(split_files(artifact.uri, name))
        total = sum(count for path, count in sizes if path.startswith(f"Split-{name}/"))
        share = counts[name] / sum(known) if counts.get(name) else None
        rows.append(
            [
                name,
                counts.get(name),
                None if share is None else tag("span", f"{share:.1%}"),
                files,
                tag("span", size(total)),
            ]
        )
    body = [
        section(
            "Splits",
            row_table(["split", "rows", "share", "files", "size"], rows, ["share", "size"]),
        )
    ]
    # The rows first: damaged files are told there.
    rows_of_splits = [first_rows_section(found) for found in first_rows(artifact, _ROWS)]
    body += [*image_sections(artifact, names), *rows_of_splits]
    broken = _quarantine(artifact.uri)
    return PageContent(head=[tiles(figures)], body=body if broken is None else [broken, *body])


def _quarantine(uri: str) -> Markup | None:
    entries = read_quarantine(uri)
    if not entries:
        return None
    columns = ["file", "line", "offset", "column", "reason", "raw"]
    rows = [[plain(entry.get(name)) for name in columns] for entry in entries[:_BROKEN]]
    used = [i for i in range(len(columns)) if any(row[i] is not None for row in rows)]
    table = row_table([columns[i] for i in used], [[row[i] for i in used] for row in rows])
    more = len(entries) - len(rows)
    rest = tag("p", f"and {more} more in {uri}/quarantine", class_="muted") if more > 0 else None
    return section(f"Broken rows that were left out: {len(entries)}", table, rest)
