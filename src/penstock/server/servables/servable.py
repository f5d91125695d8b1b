"""A version of a model that answers requests."""

from __future__ import annotations

import contextlib
import copy
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Executor
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from penstock.server.config import Batching
from penstock.server.errors import InvalidArgumentError, NotFoundError
from penstock.server.servables.batching import Batcher
from penstock.server.servables.signature import ANY, SignatureInfo, TensorInfo
from penstock.serving.labels import ModelLabels, read_labels
from penstock.serving.signature import DEFAULT_SIGNATURE
from penstock.spelling import nearest


class LoadedModel(Protocol):
    """A model in memory."""

    signatures: Mapping[str, SignatureInfo]
    signature_defs: Mapping[str, Any]

    def run(
        self, signature: str, inputs: Mapping[str, npt.NDArray[Any]]
    ) -> dict[str, npt.NDArray[Any]]:
        """Return the outputs of a signature; called by several threads at once."""

    def settle(self) -> None:
        """Choose how it is computed, by the requests that it was warmed with; called once."""

    def close(self) -> None:
        """Give its memory back."""


class Servable:
    """A version of a model; obtained from `Servables.get`.

    Args:
        name: The model's name.
        version: Its version.
        path: The folder of the version.
        model: The model in memory.
        executor: The threads that compute.
        batching: How requests are computed together.
        held: What is let go when it is closed: the model's memory, and the lease on its version.

    Attributes:
        labels: The names of its classes and its vocabularies.

    Example:
        >>> with servables.get("taxi") as servable:
        ...     outputs = await servable.predict("serving_default", {"miles": np.ones((2, 1), "float32")})
    """

    def __init__(
        self,
        name: str,
        version: int,
        path: str,
        model: LoadedModel,
        executor: Executor,
        batching: Batching,
        held: contextlib.ExitStack,
    ) -> None:
        self.name = name
        self.version = version
        self.path = path
        self.model = model
        self.labels: ModelLabels = read_labels(path)
        self._batching = batching
        self._batcher = Batcher(model.run, executor, batching)
        self._held = held

    def beside(self, executor: Executor) -> Servable:
        """Return this version with batches of its own, computed in other threads; it is not closed itself.

        Args:
            executor: The threads.
        """
        other = copy.copy(self)
        other._batcher = Batcher(self.model.run, executor, self._batching)
        return other

    @property
    def signatures(self) -> Mapping[str, SignatureInfo]:
        """Its signatures by name."""
        return self.model.signatures

    @property
    def queued_rows(self) -> int:
        """The rows that wait to be computed."""
        return self._batcher.queued_rows

    def watch_batches(self, on_batch: Callable[[int], object]) -> None:
        """Have a function called with the rows of each batch that is computed."""
        self._batcher.on_batch = on_batch

    def signature(self, name: str = "") -> SignatureInfo:
        """Return a signature, `serving_default` if its name is empty.

        Raises:
            NotFoundError: If there is none of that name; the message lists the names.
        """
        name = name or DEFAULT_SIGNATURE
        if name not in self.signatures:
            raise NotFoundError(
                f"Version {self.version} of {self.name!r} has no signature {name!r}."
                f"{nearest(name, self.signatures)} Signatures: {', '.join(self.signatures) or 'none'}"
            )
        return self.signatures[name]

    async def predict(
        self, signature: str, inputs: Mapping[str, npt.NDArray[Any]]
    ) -> dict[str, npt.NDArray[Any]]:
        """Return the outputs of a signature; computed together with other requests.

        Args:
            signature: Its name; `serving_default` if empty.
            inputs: An array for each of its inputs, the batch first; text as bytes in arrays of objects.

        Returns:
            An array for each of its outputs.

        Raises:
            NotFoundError: If there is no such signature.
            InvalidArgumentError: If an input is missing, unknown or of another type or shape; the message
                names it.
            ResourceExhaustedError: If too many requests wait.
            InternalError: If the model fails.
        """
        described = self.signature(signature)
        checked = check_inputs(self.name, described, inputs)
        counts = {len(array) for array in checked.values() if array.ndim}
        rows = None
        if described.batches:
            if len(counts) > 1:
                sizes = ", ".join(f"{name}: {len(array)}" for name, array in checked.items())
                raise InvalidArgumentError(
                    f"All inputs need the same number of rows. Received: {sizes}"
                )
            rows = counts.pop()
        return await self._batcher.submit(described.name, checked, rows)

    def check_load(self) -> None:
        """Refuse a request before it is read, if those before it wait too long.

        Raises:
            ResourceExhaustedError: If they do.
        """
        self._batcher.check_load()

    async def examples(
        self, serialized: Sequence[bytes], signature: str = ""
    ) -> dict[str, npt.NDArray[Any]]:
        """Return the outputs for serialized tf.Examples.

        Raises:
            InvalidArgumentError: If the signature takes no tf.Examples, or one cannot be parsed.
            ServingError: As `predict`.
        """
        described = self.signature(signature)
        ((name, tensor), *others) = described.inputs.items()
        if others or tensor.dtype != "string":
            raise InvalidArgumentError(
                f"The signature {described.name!r} of {self.name!r} takes no tf.Examples. It takes: "
                f"{_described(described.inputs)}"
            )
        return await self.predict(signature, {name: np.array(serialized, dtype=object)})

    def close(self) -> None:
        """Give its memory back; no request may be in progress."""
        self._held.close()


def check_inputs(
    model: str, signature: SignatureInfo, inputs: Mapping[str, npt.NDArray[Any]]
) -> dict[str, npt.NDArray[Any]]:
    """Return the inputs of a signature, which are all there and of the right types and shapes.

    Raises:
        InvalidArgumentError: If one is missing, unknown or of another type or shape; the message names
            it.
    """
    if inputs.keys() != signature.inputs.keys():
        unknown = sorted(set(inputs) - set(signature.inputs))
        missing = sorted(set(signature.inputs) - set(inputs))
        what = f"needs the input {missing[0]!r}" if missing else f"has no input {unknown[0]!r}"
        raise InvalidArgumentError(
            f"The signature {signature.name!r} of {model!r} {what}. It takes: "
            f"{_described(signature.inputs)}"
        )
    checked = {}
    for name, tensor in signature.inputs.items():
        array = inputs[name]
        if not _fits(array, tensor):
            given = "string" if array.dtype == object else array.dtype
            raise InvalidArgumentError(
                f"The input {name!r} of {model!r} is {tensor.dtype} of the shape {_shape(tensor)}. "
                f"Received: {given} of the shape {list(array.shape)}"
            )
        checked[name] = array
    return checked


def _fits(array: npt.NDArray[Any], tensor: TensorInfo) -> bool:
    dtype = "string" if array.dtype == object else array.dtype.name
    if tensor.dtype not in (dtype, ANY):
        return False
    if tensor.shape is None:
        return array.ndim > 0
    return len(tensor.shape) == array.ndim and all(
        size in (-1, given) for size, given in zip(tensor.shape, array.shape, strict=True)
    )


def _shape(tensor: TensorInfo) -> str:
    return "any" if tensor.shape is None else str(list(tensor.shape))


def _described(tensors: Mapping[str, TensorInfo]) -> str:
    return ", ".join(f"{name} ({each.dtype} {_shape(each)})" for name, each in tensors.items())
