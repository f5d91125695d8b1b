"""Reading text files as rows for ingestion, with the name of the folder or the file as the class."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal, NamedTuple

import numpy as np
import pyarrow as pa

from penstock.io.arrow.arrays import byte_strings, numbers, one_value_lists
from penstock.io.examples.rows import Blocks, RowBlocks, Rows, rows_of_batch
from penstock.io.files.filesystem import open_decompressed
from penstock.io.ingestion.broken_rows import BrokenRow, OnBroken

LabelFrom = Literal["folder", "file"]

_BLOCK_BYTES = 4 << 20


class TextError(ValueError):
    """A text is not in the encoding that was named; the message names file and line."""


class _Text(NamedTuple):
    """A text as it lies in a file.

    Args:
        path: The file.
        line: The line, from 1; None if the text is the whole file.
        raw: Its bytes, without a line break at the end.
    """

    path: str
    line: int | None
    raw: bytes


def read_texts(
    files: Sequence[str],
    *,
    lines: bool = False,
    label_from: LabelFrom | None = "folder",
    encoding: str = "utf-8",
    on_broken: OnBroken | None = None,
) -> RowBlocks:
    """Read text files as rows with `text` (in UTF-8) and `file_name`, and with `label` and `line`.

    Args:
        files: Local paths or fsspec URLs; those that end in `.gz` or `.bz2` are decompressed.
        lines: Whether each line that is not blank is a text, instead of each file. Rows then have
            `line`, counted from 1 in the file.
        label_from: Whether the class is the name of the folder that a file lies in, or the file's name
            without what follows its first dot. None: rows have no `label`.
        encoding: The files' encoding. A byte-order mark is left out.
        on_broken: Called with each text that is not in this encoding, which is left out; by default it
            is an error.

    Raises:
        TextError: If a text is not in this encoding.

    Example:
        >>> rows = read_texts(["reviews/good/1.txt", "reviews/bad/7.txt"])
        >>> next(iter(rows)).batch["label"].to_pylist()
        [[b'good'], [b'bad']]
    """
    decode = _Decode(encoding, label_from)
    if on_broken is None:
        return RowBlocks(lambda: Blocks(decode, _blocks(files, lines)))
    return RowBlocks(
        lambda: Blocks(rows_of_batch, _sound(decode, _blocks(files, lines), on_broken))
    )


@dataclass(frozen=True)
class _Decode:
    """Makes rows from texts."""

    encoding: str
    label_from: LabelFrom | None

    def __call__(self, texts: Sequence[_Text]) -> Rows:
        return rows_of_batch(self.batch(texts, [self.utf8(text) for text in texts]))

    def utf8(self, text: _Text) -> bytes:
        """Return the text in UTF-8, or raise."""
        try:
            decoded = text.raw.decode(self.encoding)
        except UnicodeDecodeError as error:
            raise TextError(str(broken_text(text, error, self.encoding))) from error
        return decoded.removeprefix("\ufeff").encode()

    def batch(self, texts: Sequence[_Text], contents: Sequence[bytes]) -> pa.RecordBatch:
        columns = {"text": byte_strings(contents)}
        columns["file_name"] = byte_strings([_shown_name(text.path) for text in texts])
        if self.label_from is not None:
            columns["label"] = byte_strings([_label(text.path, self.label_from) for text in texts])
        if texts[0].line is not None:
            columns["line"] = numbers(np.array([text.line for text in texts], np.int64))
        return pa.RecordBatch.from_pydict(
            {name: one_value_lists(column) for name, column in columns.items()}
        )


def broken_text(text: _Text, error: UnicodeDecodeError, encoding: str) -> BrokenRow:
    """Return what is wrong with a text."""
    reason = (
        f"byte {error.start} is not {encoding}: {error.reason}. Name the files' encoding "
        f'(encoding="latin-1", say)'
    )
    return BrokenRow(text.path, reason, text.raw, line=text.line)


def _sound(
    decode: _Decode, blocks: Iterator[list[_Text]], on_broken: OnBroken
) -> Iterator[pa.RecordBatch]:
    for block in blocks:
        texts, contents = [], []
        for text in block:
            try:
                contents.append(decode.utf8(text))
                texts.append(text)
            except TextError as error:
                cause = error.__cause__
                assert isinstance(cause, UnicodeDecodeError)
                on_broken(broken_text(text, cause, decode.encoding))
        if texts:
            yield decode.batch(texts, contents)


def _blocks(files: Sequence[str], lines: bool) -> Iterator[list[_Text]]:
    block: list[_Text] = []
    size = 0
    for path in files:
        for text in _lines(path) if lines else _whole(path):
            block.append(text)
            size += len(text.raw) + 100
            if size >= _BLOCK_BYTES:
                yield block
                block, size = [], 0
    if block:
        yield block


def _whole(path: str) -> Iterator[_Text]:
    with open_decompressed(path) as file:
        yield _Text(path, None, file.read())


def _lines(path: str) -> Iterator[_Text]:
    with open_decompressed(path) as file:
        for number, line in enumerate(file, 1):
            text = line.rstrip(b"\r\n")
            if text.strip():
                yield _Text(path, number, text)


def _shown_name(path: str) -> bytes:
    folder, _, name = path.rpartition("/")
    parent = folder.rpartition("/")[2]
    return (f"{parent}/{name}" if parent else name).encode()


def _label(path: str, label_from: LabelFrom) -> bytes:
    folder, _, name = path.rpartition("/")
    label = folder.rpartition("/")[2] if label_from == "folder" else name.partition(".")[0]
    return label.encode()
