"""The page of a value artifact: the value, whole or its beginning."""

from __future__ import annotations

import json
from typing import Any

from penstock.artifacts import Artifact, ValueArtifact
from penstock.cards.artifact_pages.blocks import section, text_block, tiles
from penstock.cards.html_page import PageContent
from penstock.cards.markup import Child, tag
from penstock.cards.row_preview import plain
from penstock.quantities import size

_LONGEST = 200_000
_BYTES_A_LINE = 16
_LINES = 64


def content(artifact: Artifact) -> PageContent:
    """Return the content of the page."""
    assert isinstance(artifact, ValueArtifact)
    try:
        value = artifact.value
    except FileNotFoundError:
        raise FileNotFoundError(f"{artifact.value_uri} is missing") from None
    except ValueError as error:
        raise ValueError(f"{artifact.value_uri} is damaged: {error}") from error
    if isinstance(value, (bool, int, float)):
        return PageContent(head=[tiles([(str(value), artifact.TYPE_NAME.lower())])])
    if isinstance(value, bytes):
        return PageContent(
            head=[tiles([(size(len(value)), "of bytes")])],
            body=[
                section("Value", text_block(_hex(value)), _cut(len(value), _LINES * _BYTES_A_LINE))
            ],
        )
    text = value if isinstance(value, str) else _pretty(value)
    figures: list[tuple[object, str]] = [(len(text), "characters")]
    figures.append((len(text.splitlines()), "lines"))
    body = [section("Value", text_block(text[:_LONGEST]), _cut(len(text), _LONGEST))]
    return PageContent(head=[tiles(figures)], body=body)


def _pretty(value: Any) -> str:
    return json.dumps(plain(value), indent=2, sort_keys=True, ensure_ascii=False)


def _hex(data: bytes) -> str:
    """Return bytes as `hexdump -C` does: where, what, and the letters."""
    lines = []
    for start in range(0, min(len(data), _LINES * _BYTES_A_LINE), _BYTES_A_LINE):
        part = data[start : start + _BYTES_A_LINE]
        letters = "".join(chr(byte) if 32 <= byte < 127 else "." for byte in part)
        lines.append(f"{start:08x}  {part.hex(' '):<{3 * _BYTES_A_LINE}} {letters}")
    return "\n".join(lines)


def _cut(length: int, most: int) -> Child:
    if length <= most:
        return None
    return tag("p", f"The first {most:,} of {length:,} are shown.", class_="muted")
