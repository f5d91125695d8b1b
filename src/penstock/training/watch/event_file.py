"""TensorBoard's event files, written without TensorFlow.

An event file is a TFRecord file of `Event` messages; the first one names the format. Source of the names
and of what an event of a scalar holds: `tensorflow/core/util/events_writer.cc`, and
`tensorboard/plugins/scalar/metadata.py` for what TensorFlow 2's `tf.summary.scalar` writes.
"""

from __future__ import annotations

import itertools
import os
import socket
import time
from collections.abc import Mapping
from types import ModuleType
from typing import Any

from penstock.artifacts import location
from penstock.installation import install_command

_VERSION = "brain.Event:2"
_WRITER = "tensorflow.core.util.events_writer"
_numbers = itertools.count()


class EventFile:
    """A file of events in a folder of TensorBoard's, made with the first event.

    Args:
        folder: A local folder, or a URL; there the file is written anew by each `flush`.

    Example:
        >>> with EventFile("logs/train") as events:
        ...     events.add_scalars({"epoch_loss": 0.5}, step=0)
    """

    def __init__(self, folder: str) -> None:
        now = int(time.time())
        name = f"{now:010}.{socket.gethostname()}.{os.getpid()}.{next(_numbers)}"
        self.path = f"{folder.rstrip('/')}/events.out.tfevents.{name}.v2"
        self._waiting: list[bytes] = []
        self._written: list[bytes] = []
        self._protos = _protos()

    def __enter__(self) -> EventFile:
        return self

    def __exit__(self, *error: object) -> None:
        self.flush()

    def add_scalars(
        self, values: Mapping[str, float], step: int, wall_time: float | None = None
    ) -> None:
        """Add a scalar for each tag, as `tf.summary.scalar` does.

        Args:
            values: Values by tag, NaN and infinite ones as well.
            step: Where they are on the axis, such as the epoch from 0.
            wall_time: Unix seconds; by default now.
        """
        import numpy as np

        event, summary, tensor, types = (
            self._protos[name] for name in ("event", "summary", "tensor", "types")
        )
        when = time.time() if wall_time is None else wall_time
        for tag, value in values.items():
            # A loss that exploded may be beyond what 32 bits hold: infinity, as in TensorFlow.
            with np.errstate(over="ignore"):
                content = np.array(value, "<f8").astype("<f4").tobytes()
            scalar = tensor.TensorProto(
                dtype=types.DT_FLOAT, tensor_shape={}, tensor_content=content
            )
            plugin = summary.SummaryMetadata.PluginData(plugin_name="scalars")
            metadata = summary.SummaryMetadata(plugin_data=plugin)
            one = summary.Summary.Value(tag=tag, tensor=scalar, metadata=metadata)
            self._add(event.Event(wall_time=when, step=step, summary=summary.Summary(value=[one])))

    def add_histogram(self, tag: str, values: Any, step: int) -> None:
        """Add a histogram, as `tf.summary.histogram` does.

        Args:
            tag: Its tag.
            values: An array of numbers of any shape.
            step: Where it is on the axis.
        """
        from tensorboard.plugins.histogram.summary_v2 import histogram_pb

        event = self._protos["event"]
        made = histogram_pb(tag, values)
        self._add(event.Event(wall_time=time.time(), step=step, summary=made))

    def has_forerunner(self) -> bool:
        """Return whether another event file lies in the folder."""
        folder, _, own = self.path.rpartition("/")
        if not location.exists(folder):
            return False
        names = [name for name, _ in location.list_files(folder) if "/" not in name]
        return any("tfevents" in name and name != own for name in names)

    def flush(self) -> None:
        """Write what was added; TensorBoard shows it from now on."""
        if not self._waiting:
            return
        if not self._written:
            self._waiting.insert(0, self._header())
        from penstock.io.tfrecord.framing import content, frame_records

        data = bytes(content(frame_records(self._waiting)))
        if location.is_local(self.path):
            path = location.local_path(self.path)
            os.makedirs(os.path.dirname(path), exist_ok=True)
            with open(path, "ab") as file:
                file.write(data)
            self._written = [b""]
        else:
            self._written.append(data)
            location.write_bytes(self.path, b"".join(self._written))
        self._waiting.clear()

    def _add(self, event: Any) -> None:
        self._waiting.append(event.SerializeToString())

    def _header(self) -> bytes:
        event = self._protos["event"]
        header: bytes = event.Event(
            wall_time=float(int(time.time())),
            file_version=_VERSION,
            source_metadata=event.SourceMetadata(writer=_WRITER),
        ).SerializeToString()
        return header


def _protos() -> dict[str, ModuleType]:
    """Return TensorBoard's modules of messages.

    Raises:
        ImportError: If TensorBoard is not installed.
    """
    try:
        from tensorboard.compat.proto import event_pb2, summary_pb2, tensor_pb2, types_pb2
    except ImportError as error:
        raise ImportError(
            f"TensorBoard's files need the package tensorboard: {install_command('run')}, or "
            "pip install tensorboard"
        ) from error
    return {"event": event_pb2, "summary": summary_pb2, "tensor": tensor_pb2, "types": types_pb2}
