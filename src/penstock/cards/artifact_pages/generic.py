"""The page of any other artifact: its pictures, the beginnings of its text files, and the list of all."""

from __future__ import annotations

from penstock.artifacts import Artifact, location
from penstock.cards.artifact_pages.blocks import section, text_block, tiles
from penstock.cards.artifact_pages.pictures import pictures_section
from penstock.cards.html_page import PageContent
from penstock.cards.markup import Child, tag
from penstock.io.files.filesystem import open_binary
from penstock.quantities import size

_FILES = 6
_BEGINNING = 4_000


def content(artifact: Artifact) -> PageContent:
    """Return the content of the page."""
    files = location.list_files(artifact.uri)
    total = size(sum(count for _, count in files))
    body: list[Child] = []
    single = location.is_file(artifact.uri)
    shown = 0
    for path, count in files:
        if shown == _FILES:
            break
        text = _beginning(artifact.uri if single else f"{artifact.uri.rstrip('/')}/{path}")
        if text:
            more = tag("p", f"The first {_BEGINNING:,} bytes of {count:,}.", class_="muted")
            body.append(section(path, text_block(text), more if count > _BEGINNING else None))
            shown += 1
    if (pictures := pictures_section(artifact)) is not None:
        body.insert(0, pictures)
    figures = [(len(files), "file" if len(files) == 1 else "files"), (total, "in all")]
    return PageContent(head=[tiles(figures)], body=body)


def _beginning(uri: str) -> str | None:
    """Return the beginning of a file if it is text."""
    with open_binary(uri) as file:
        data = file.read(_BEGINNING)
    if b"\0" in data:
        return None
    try:
        return data.decode()
    except UnicodeDecodeError as error:
        # A letter may be cut in two at the end.
        cut = len(data) == _BEGINNING and error.start > len(data) - 4
        return data[: error.start].decode() if cut else None
