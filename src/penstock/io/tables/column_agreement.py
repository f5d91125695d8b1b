"""The columns and types that the files or batches of a table agree on."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import pyarrow as pa

from penstock.io.ingestion.broken_rows import BrokenRow, OnBroken
from penstock.io.tables.example_columns import ColumnError


class TableTypes:
    """The columns of the first file, which the others must also have.

    Args:
        kind: The name of the format, for messages.
    """

    def __init__(self, kind: str) -> None:
        self.agreed: dict[str, pa.DataType] = {}
        self._kind = kind
        self._first = ""

    def add(self, path: str, types: Mapping[str, pa.DataType]) -> None:
        """Take the columns of one more file.

        Raises:
            ColumnError: If they differ from those of the first file.
        """
        if not self._first:
            self._first = path
            self.agreed = dict(types)
            return
        found = dict(self.agreed)
        for name in [*self.agreed, *types]:
            if name not in types:
                raise ColumnError(name, f"is missing, but {self._first} has it. {self._advice}")
            if name not in self.agreed:
                raise ColumnError(name, f"is not in {self._first}. {self._advice}")
            known, new = self.agreed[name], types[name]
            if pa.types.is_null(known):
                found[name] = new
            elif known != new and not pa.types.is_null(new):
                raise ColumnError(
                    name,
                    f"holds {_WORDS[str(new)]} here and {_WORDS[str(known)]} in {self._first}. "
                    f"{self._advice}",
                )
        self.agreed = found

    def survey(
        self,
        files: Sequence[str],
        look: Callable[[str, TableTypes], BrokenRow | None],
        on_broken: OnBroken,
    ) -> list[str]:
        """Take the columns of files one by one, and return the files that can be read.

        Args:
            files: Paths or URLs.
            look: Adds a file's columns to these, and returns its problem, if any.
            on_broken: Called with each file that is left out.
        """
        sound = []
        for path in files:
            row = look(path, self)
            if row is None:
                sound.append(path)
            else:
                on_broken(row)
        return sound

    @property
    def _advice(self) -> str:
        return f"All {self._kind} files of a split must have the same columns."


_WORDS = {"int64": "integers", "float": "floats", "large_binary": "strings or bytes"}
