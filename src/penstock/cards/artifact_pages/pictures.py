"""Pictures that lie in an artifact, as a section of its page."""

from __future__ import annotations

import base64
from collections.abc import Collection

from penstock.artifacts import Artifact, location
from penstock.cards.artifact_pages.blocks import section
from penstock.cards.markup import Markup, tag

_KINDS = {".png": "image/png", ".jpg": "image/jpeg", ".jpeg": "image/jpeg"}
_MOST = 24
_MOST_BYTES = 2_000_000


def pictures_section(artifact: Artifact, without: Collection[str] = ()) -> Markup | None:
    """Return the PNG and JPEG files of an artifact as they look, 24 at most; None if there are none.

    Args:
        artifact: The artifact.
        without: Folders that are left out.
    """
    if location.is_file(artifact.uri):
        return None
    shown: list[Markup] = []
    for path, size in location.list_files(artifact.uri):
        kind = _KINDS.get(path[path.rfind(".") :].lower())
        if kind is None or size > _MOST_BYTES or path.split("/")[0] in without:
            continue
        if len(shown) == _MOST:
            break
        data = base64.b64encode(location.read_bytes(f"{artifact.uri.rstrip('/')}/{path}")).decode()
        image = tag("img", src=f"data:{kind};base64,{data}", alt=path, style="max-width:100%")
        shown.append(tag("figure", image, tag("figcaption", path, class_="muted")))
    return section("Pictures", shown) if shown else None
