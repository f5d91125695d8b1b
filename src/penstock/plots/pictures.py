"""Writing figures: PNG files, and one HTML page that holds them all and needs no other file."""

from __future__ import annotations

import base64
import io
import re
from collections.abc import Mapping
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from matplotlib.figure import Figure

PAGE = "index.html"
_STYLE = (
    "body{font:15px/1.5 system-ui,sans-serif;margin:2rem auto;max-width:60rem;padding:0 1rem;color:#222;"
    "background:#fff}h1{font-size:1.4rem}h2{font-size:1rem;margin:2rem 0 .4rem}img{max-width:100%}"
    "p{color:#555;margin:.2rem 0}"
)


def write_pictures(
    folder: str | Path,
    figures: Mapping[str, Figure],
    *,
    title: str = "Pictures",
    captions: Mapping[str, str] | None = None,
) -> list[Path]:
    """Write each figure as `<name>.png`, and all of them into `index.html`.

    The same figures give the same bytes.

    Args:
        folder: Where to write; made if missing.
        figures: By name, which becomes the file's: letters, digits, `-` and `_`.
        title: The page's title.
        captions: A sentence below a figure, by name.

    Returns:
        The PNG files, in order.

    Raises:
        ValueError: If a name has other characters, or a caption's name is none of the figures.

    Example:
        >>> write_pictures(model_run.uri + "/plots", {"curves": training_curves(history)})
        [PosixPath('.../plots/curves.png')]
    """
    for name in figures:
        if not re.fullmatch(r"[A-Za-z0-9_-]+", name):
            raise ValueError(
                f"The name of a picture has letters, digits, '-' and '_'. Received: {name!r}"
            )
    if unknown := sorted(set(captions or ()) - set(figures)):
        raise ValueError(f"captions names {unknown[0]!r}. Figures: {', '.join(figures) or 'none'}")
    target = Path(folder)
    target.mkdir(parents=True, exist_ok=True)
    written, parts = [], []
    for name, figure in figures.items():
        data = png(figure)
        path = target / f"{name}.png"
        path.write_bytes(data)
        written.append(path)
        parts.append(_section(name, data, (captions or {}).get(name, "")))
    page = (
        f'<!doctype html>\n<html lang="en"><head><meta charset="utf-8"><title>{escape(title)}</title>'
        f"<style>{_STYLE}</style></head>\n<body><h1>{escape(title)}</h1>\n{''.join(parts)}</body></html>\n"
    )
    (target / PAGE).write_text(page, encoding="utf-8")
    return written


def png(figure: Figure) -> bytes:
    """Return a figure as a PNG file; without the version of Matplotlib in it, so that bytes do not vary."""
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", metadata={"Software": None})
    return buffer.getvalue()


def _section(name: str, data: bytes, caption: str) -> str:
    words = name.replace("_", " ").replace("-", " ")
    below = f"<p>{escape(caption)}</p>" if caption else ""
    source = base64.b64encode(data).decode()
    return (
        f'<h2>{escape(words)}</h2><img alt="{escape(words)}" '
        f'src="data:image/png;base64,{source}">{below}\n'
    )
