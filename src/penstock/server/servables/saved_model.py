"""A SavedModel in a TensorFlow session, loaded and run as TensorFlow Serving does it.

A session is loaded without the Python objects of the model, is faster to call than a function of
`tf.saved_model.load`, may be called by several threads at once, and gives its memory back when it closes.
"""

from __future__ import annotations

import contextlib
import logging
import re
import time
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from penstock.io.files.plain_path import plain_path
from penstock.server.errors import InternalError, InvalidArgumentError
from penstock.server.servables.signature import SignatureInfo, TensorInfo
from penstock.serving.loading import load_errors
from penstock.serving.model import import_tensorflow
from penstock.serving.saved_model import ModelError, inspect_saved_model

if TYPE_CHECKING:
    import numpy.typing as npt

Call = Callable[..., Sequence[Any]]

_TAGS = ["serve"]
_POOL, _CALLER = 0, -1
"""Values of `RunOptions.inter_op_thread_pool`."""

_SMALL_SECONDS = 0.01
"""A run that takes longer gains nothing by being computed in the thread that asks."""

_TRIALS = 5
_STACK = re.compile(
    r"Graph execution error|Detected at node|File \"|<stack traces|Node: |\(\d+\) |Original"
)


class SavedModel:
    """A loaded SavedModel.

    Args:
        path: Its folder.
        op_threads: In how many threads one operation is computed; None for as many as TensorFlow likes.

    Attributes:
        signatures: Its signatures by name.
        signature_defs: TensorFlow's `SignatureDef` messages by name.

    Raises:
        ModelError: If it is incomplete, or TensorFlow cannot load it.
    """

    def __init__(self, path: str, op_threads: int | None = None) -> None:
        self.path = path
        info = inspect_saved_model(path)
        tf = import_tensorflow()
        self._errors = tf.errors
        graph = tf.Graph()
        config = tf.compat.v1.ConfigProto(intra_op_parallelism_threads=op_threads or 0)
        # Else the first session of a process decides for all of them.
        config.use_per_session_threads = op_threads is not None
        self._session = tf.compat.v1.Session(graph=graph, config=config)
        logger = logging.getLogger("tensorflow")
        level = logger.level
        logger.setLevel(logging.ERROR)  # that loading into a session is deprecated
        try:
            with graph.as_default(), load_errors(path):
                loaded = tf.compat.v1.saved_model.load(self._session, _TAGS, plain_path(path))
        except ModelError:
            self._session.close()
            raise
        finally:
            logger.setLevel(level)
        self.signature_defs: Mapping[str, Any] = {
            name: each
            for name, each in sorted(loaded.signature_def.items())
            if not name.startswith("__")
        }
        signatures: dict[str, SignatureInfo] = {}
        self._calls: dict[str, Call] = {}
        self._warmed: dict[str, list[Any]] | None = {}
        for name, each in self.signature_defs.items():
            read = info.inputs[name]
            signatures[name] = SignatureInfo(
                name,
                each.method_name,
                _tensors(tf, each.inputs),
                _tensors(tf, each.outputs),
                read.takes_examples,
                read.features,
                read if read.batch_size != 0 else None,
            )
            self._calls[name] = self._callable(each, _POOL)
        self.signatures: Mapping[str, SignatureInfo] = signatures

    def _callable(self, described: Any, thread_pool: int) -> Call:
        """Return a call of a signature that takes its inputs and returns its outputs, sorted by name."""
        from tensorflow.core.protobuf import config_pb2

        options = config_pb2.CallableOptions(
            feed=[described.inputs[key].name for key in sorted(described.inputs)],
            fetch=[described.outputs[key].name for key in sorted(described.outputs)],
        )
        options.run_options.inter_op_thread_pool = thread_pool
        # `make_callable` looks its feeds up anew in each call, which takes as long as a small model.
        call: Call = self._session._make_callable_from_options(options)
        return call

    def settle(self) -> None:
        """Compute each signature in the thread that asks, if its last request shows that to be faster.

        To hand operations to other threads takes several times as long as to compute a small model.
        """
        warmed, self._warmed = self._warmed or {}, None
        for name, values in warmed.items():
            # A model that refuses what it took a moment ago stays as it is.
            with contextlib.suppress(self._errors.OpError):
                pooled = _fastest(self._calls[name], values)
                if pooled < _SMALL_SECONDS:
                    alone = self._callable(self.signature_defs[name], _CALLER)
                    alone(*values)
                    if _fastest(alone, values) < pooled:
                        self._calls[name] = alone

    def run(
        self, signature: str, inputs: Mapping[str, npt.NDArray[Any]]
    ) -> dict[str, npt.NDArray[Any]]:
        """Return the outputs of a signature; called by several threads at once.

        Args:
            signature: Its name.
            inputs: An array for each of its inputs, the batch first.

        Raises:
            InvalidArgumentError: If the model refuses the values.
            InternalError: If it fails.
        """
        described = self.signatures[signature]
        given = [inputs[key] for key in described.inputs]
        try:
            values = self._calls[signature](*given)
        except (
            self._errors.InvalidArgumentError,
            self._errors.OutOfRangeError,
            ValueError,
            TypeError,
        ) as error:
            raise InvalidArgumentError(_reason(error)) from error
        except self._errors.OpError as error:
            raise InternalError(_reason(error)) from error
        if self._warmed is not None:
            self._warmed[signature] = given
        return dict(zip(described.outputs, values, strict=True))

    def close(self) -> None:
        """Give its memory back."""
        self._calls.clear()
        self._session.close()


def _fastest(call: Call, values: Sequence[Any]) -> float:
    """Return the seconds of the fastest of a few calls."""
    seconds = []
    for _ in range(_TRIALS):
        began = time.perf_counter()
        call(*values)
        seconds.append(time.perf_counter() - began)
    return min(seconds)


def _tensors(tf: Any, described: Mapping[str, Any]) -> dict[str, TensorInfo]:
    tensors = {}
    for name in sorted(described):
        each = described[name]
        shape = each.tensor_shape
        sizes = None if shape.unknown_rank else tuple(dim.size for dim in shape.dim)
        tensors[name] = TensorInfo(tf.dtypes.as_dtype(each.dtype).name, sizes, each.name)
    return tensors


def _reason(error: Exception) -> str:
    """Return TensorFlow's message without the stack of the graph's nodes."""
    message = str(getattr(error, "message", None) or error)
    lines = [line.strip() for line in message.partition("[[{{node")[0].splitlines()]
    kept = [line for line in lines if line and not _STACK.match(line)]
    return kept[-1] if kept else type(error).__name__
