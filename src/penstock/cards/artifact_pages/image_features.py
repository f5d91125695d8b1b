"""The images in the rows of Examples, as small pictures."""

from __future__ import annotations

import base64
from collections.abc import Iterator, Sequence
from typing import Any

from penstock.artifacts import Examples
from penstock.cards.artifact_pages.blocks import section
from penstock.cards.markup import Markup, tag
from penstock.cards.row_preview import cell_text, plain

_KINDS = {b"\x89PNG\r\n\x1a\n": "image/png", b"\xff\xd8\xff": "image/jpeg"}
_ROWS = 24
_MOST_BYTES = 200_000
_CAPTION = 24
_GRID = "display:flex;flex-wrap:wrap;gap:12px"
_PICTURE = "width:84px;image-rendering:pixelated;display:block"


def image_sections(artifact: Examples, splits: Sequence[str]) -> Iterator[Markup]:
    """Yield a section for each feature of PNG or JPEG files in the first split: its first rows.

    Below each image stands the row's `label`, if there is one. Images above 200 kB are left out.

    Args:
        artifact: The examples.
        splits: Names of its splits.
    """
    from penstock.io import ExamplesSplit

    if not splits or artifact.payload_format != "FORMAT_TF_EXAMPLE":
        return
    rows: list[dict[str, Any]] = []
    for batch in ExamplesSplit.of(artifact, splits[0]).batches(batch_size=_ROWS):
        rows += batch.slice(0, _ROWS - len(rows)).to_pylist()
        if len(rows) >= _ROWS:
            break
    names = dict.fromkeys(name for row in rows for name in row)
    for name in names:
        figures = [figure for row in rows if (figure := _figure(row, name)) is not None]
        if figures:
            title = f"{splits[0]}: {name} of the first {len(figures)} rows"
            yield section(title, tag("div", figures, style=_GRID))


def _figure(row: dict[str, Any], name: str) -> Markup | None:
    values: Any = row.get(name)
    content = values[0] if isinstance(values, list) and len(values) == 1 else None
    if not isinstance(content, bytes) or len(content) > _MOST_BYTES:
        return None
    kind = next((kind for start, kind in _KINDS.items() if content.startswith(start)), None)
    if kind is None:
        return None
    label = row.get("label")
    caption = cell_text(plain(label), _CAPTION) if label else ""
    data = base64.b64encode(content).decode()
    picture = tag("img", src=f"data:{kind};base64,{data}", alt=caption or name, style=_PICTURE)
    return tag("figure", picture, tag("figcaption", caption), style="margin:0")
