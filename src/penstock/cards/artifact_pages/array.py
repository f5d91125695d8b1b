"""The page of an Array: shape, type, a summary and the first values."""

from __future__ import annotations

from penstock.artifacts import Array, Artifact
from penstock.cards.artifact_pages.blocks import first_rows_section, tiles
from penstock.cards.html_page import PageContent
from penstock.cards.row_preview import first_rows
from penstock.quantities import size

_ROWS = 20


def content(artifact: Artifact) -> PageContent:
    """Return the content of the page."""
    import numpy as np

    assert isinstance(artifact, Array)
    (found,) = first_rows(artifact, _ROWS)
    array = artifact.value
    figures: list[tuple[object, str]] = [
        (" x ".join(map(str, array.shape)) or "scalar", "shape"),
        (str(array.dtype), "type"),
        (size(array.nbytes), "in memory"),
    ]
    if array.dtype.kind in "iufb" and array.size:
        values = array.astype(float)
        finite = values[np.isfinite(values)]
        if finite.size:
            figures += [(float(finite.min()), "least"), (float(finite.mean()), "mean")]
            figures.append((float(finite.max()), "greatest"))
        if finite.size < values.size:
            figures.append((values.size - finite.size, "not finite"))
    return PageContent(head=[tiles(figures)], body=[first_rows_section(found)])
