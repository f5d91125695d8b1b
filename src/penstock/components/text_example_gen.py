"""TextExampleGen: text files, or their lines, into Examples."""

from __future__ import annotations

import codecs
from collections.abc import Iterable
from typing import TYPE_CHECKING

from penstock.components.example_gen import FileBasedExampleGen
from penstock.io.ingestion.config import Input as InputConfig
from penstock.io.ingestion.config import Output as OutputConfig
from penstock.io.ingestion.config import Split

if TYPE_CHECKING:
    from penstock.io.ingestion.broken_rows import OnBroken
    from penstock.io.ingestion.write_examples import Rows
    from penstock.io.text.ingest import LabelFrom


class TextExampleGen(FileBasedExampleGen):
    """Reads texts into `Examples`: one file each, in a folder for each class, or the lines of files.

    `text` holds the text in UTF-8, `label` its class, `file_name` the folder and the name of the file
    that it comes from; with `lines` there is `line`, counted from 1 in the file. Blank lines are no rows.

    Hash buckets divide rows by their content. If texts belong together, such as the same line of files
    in several languages, name what they share as `partition_feature_name`: `line`, or `file_name`.

    Further arguments are those of `FileBasedExampleGen`.

    Args:
        lines: Whether each line is a text, instead of each file.
        label_from: What is the class: "folder", the name of the folder that the file lies in; "file",
            the file's name without what follows its first dot; None for rows without `label`. By
            default the texts lie one folder below `input_base` if this is "folder", and directly in it
            otherwise.
        encoding: The encoding of the files; those that end in `.gz` or `.bz2` are decompressed.

    Example:
        TextExampleGen(input_base="data/reviews")    # data/reviews/good/1.txt, data/reviews/bad/1.txt

        TextExampleGen(input_base="data/languages", lines=True, label_from="file")    # cs.txt, sk.txt
    """

    lines: bool = False
    label_from: str | None = "folder"
    encoding: str = "utf-8"

    def check(self) -> None:
        """Check the parameters' values."""
        super().check()
        if self.label_from not in ("folder", "file", None):
            raise ValueError(
                f'label_from must be "folder", "file" or None. Received: label_from={self.label_from!r}'
            )
        if not isinstance(self.encoding, str):
            return
        try:
            codecs.lookup(self.encoding)
        except LookupError as error:
            raise ValueError(
                f'Python knows no encoding of this name; "utf-8" and "latin-1" are two. '
                f"Received: encoding={self.encoding!r}"
            ) from error
        if self.lines is True and "\n".encode(self.encoding) != b"\n":
            raise ValueError(
                f"lines=True needs an encoding in which a line ends in one byte: convert the files to "
                f"UTF-8, as by `iconv -f {self.encoding} -t utf-8`. Received: encoding={self.encoding!r}"
            )

    def _configs(self) -> tuple[InputConfig, OutputConfig]:
        pattern = "*/*" if self.label_from == "folder" else "*"
        inputs = self.input_config or InputConfig([Split("single_split", pattern)])
        return inputs, self.output_config or OutputConfig.default_for(inputs)

    def read_rows(self, files: list[str], on_broken: OnBroken | None = None) -> Iterable[Rows]:
        """Read the texts of one split."""
        from penstock.io.text.ingest import read_texts

        return read_texts(
            files,
            lines=self.lines,
            label_from=self._label_from(),
            encoding=self.encoding,
            on_broken=on_broken,
        )

    def _label_from(self) -> LabelFrom | None:
        # Checked above; a type checker does not see it.
        return self.label_from  # type: ignore[return-value]
