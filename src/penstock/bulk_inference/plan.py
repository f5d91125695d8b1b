"""What is inferred, from which files, and to which."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, NamedTuple

from penstock.artifacts.standard import DEFAULT_FILE_FORMAT
from penstock.bulk_inference.specs import ModelSpec, OutputExampleSpec
from penstock.io.examples.formats import file_format_named

if TYPE_CHECKING:
    import pyarrow as pa

    from penstock.io import ExamplesSplit

DEFAULT_BATCH_SIZE = 8192
DEFAULT_BATCH_BYTES = 32 << 20


@dataclass(frozen=True)
class InferencePlan:
    """What is inferred by which model, the same for all shards.

    Args:
        model: The model's folder; a path or an fsspec URL.
        model_spec: Its signatures.
        output: The columns for predictions; None for PredictionLogs.
        file_format: How Examples are written; PredictionLogs are gzip TFRecords.
        batch_size: The most rows that the model gets at once.
        batch_bytes: The most serialized bytes that it gets at once, unless a single row has more.
        job: Names the inference, so that a process that loaded a model keeps it to the end.
        columns: The features of the rows with their types, for Parquet: a serialized Arrow schema.
        guessed: Whether these are the features of the first rows of each file.
    """

    model: str
    model_spec: ModelSpec = field(default_factory=ModelSpec)
    output: OutputExampleSpec | None = None
    file_format: str = DEFAULT_FILE_FORMAT
    batch_size: int = DEFAULT_BATCH_SIZE
    batch_bytes: int = DEFAULT_BATCH_BYTES
    job: str = ""
    columns: bytes = b""
    guessed: bool = False

    @property
    def schema(self) -> pa.Schema | None:
        """The features of the rows, if they are known."""
        if not self.columns:
            return None
        import pyarrow as pa

        return pa.ipc.read_schema(pa.py_buffer(self.columns))

    @property
    def stored(self) -> Any:
        """The format of the files that are written."""
        return file_format_named(self.file_format if self.output else DEFAULT_FILE_FORMAT)


class InferenceShard(NamedTuple):
    """A file of rows, and the file for its predictions.

    Args:
        split: The split with this one file.
        target: Where the predictions belong; a path or an fsspec URL.
    """

    split: ExamplesSplit
    target: str
