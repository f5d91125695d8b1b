"""TensorFlow Serving's PredictionService: Predict, Classify, Regress, MultiInference, GetModelMetadata.

Source of the interface: tensorflow_serving/apis/prediction_service.proto.
"""

from __future__ import annotations

import asyncio
from typing import Any

from google.protobuf import any_pb2
from tensorflow_serving.apis import (
    classification_pb2,
    get_model_metadata_pb2,
    inference_pb2,
    model_pb2,
    predict_pb2,
    regression_pb2,
)

from penstock.server.classification import CLASSIFY, REGRESS, classify, regress
from penstock.server.errors import InvalidArgumentError
from penstock.server.grpc_api.tensors import (
    TensorError,
    array_of_tensor,
    tensor_of_array,
)
from penstock.server.request_context import REQUEST
from penstock.server.servables.servable import Servable
from penstock.server.servables.servables import Servables
from penstock.server.servables.served_model import Use
from penstock.serving.signature import DEFAULT_SIGNATURE

_LARGE = 1 << 20
"""Bytes of arrays above which they are converted in a thread."""


class PredictionService:
    """Answers PredictionService.

    Args:
        servables: The models.
        most_bytes: The most bytes that the tensors of a request may take.
    """

    def __init__(self, servables: Servables, most_bytes: int) -> None:
        self._servables = servables
        self._most_bytes = most_bytes

    async def predict(self, request: Any) -> Any:
        """Answer a PredictRequest."""
        if request.HasField("predict_streamed_options"):
            raise InvalidArgumentError(
                "predict_streamed_options are served by no method of this server."
            )
        with self._use(request.model_spec) as servable:
            signature = servable.signature(request.model_spec.signature_name)
            wanted = _filtered(list(request.output_filter), set(signature.outputs))
            if request.ByteSize() > _LARGE:
                inputs = await asyncio.to_thread(self._arrays, request.inputs)
            else:
                inputs = self._arrays(request.inputs)
            outputs = await servable.predict(signature.name, inputs)
        response = predict_pb2.PredictResponse()
        self._answered(response.model_spec, request.model_spec, servable)

        def fill() -> None:
            for name in wanted or outputs:
                response.outputs[name].CopyFrom(tensor_of_array(outputs[name]))

        if sum(array.nbytes for array in outputs.values()) > _LARGE:
            await asyncio.to_thread(fill)
        else:
            fill()
        return response

    async def classify(self, request: Any) -> Any:
        """Answer a ClassificationRequest."""
        response = classification_pb2.ClassificationResponse()
        await self._classify(request.model_spec, request.input, response)
        return response

    async def regress(self, request: Any) -> Any:
        """Answer a RegressionRequest."""
        response = regression_pb2.RegressionResponse()
        await self._regress(request.model_spec, request.input, response)
        return response

    async def multi_inference(self, request: Any) -> Any:
        """Answer a MultiInferenceRequest: several signatures of one model for the same examples."""
        tasks = list(request.tasks)
        if len({task.model_spec.name for task in tasks}) > 1:
            raise InvalidArgumentError("All ModelSpecs must access the same model name.")
        if not tasks:
            raise InvalidArgumentError("Inference request must have at least one task.")
        seen: set[str] = set()
        for task in tasks:
            name = task.model_spec.signature_name or DEFAULT_SIGNATURE
            if name in seen:
                raise InvalidArgumentError(f"Duplicate evaluation of signature: {name}")
            if task.method_name not in (CLASSIFY, REGRESS):
                raise InvalidArgumentError(
                    f"Unsupported signature method_name: {task.method_name!r}. Expected: {CLASSIFY!r} or "
                    f"{REGRESS!r}"
                )
            seen.add(name)
        response = inference_pb2.MultiInferenceResponse()
        for task in tasks:
            result = response.results.add()
            if task.method_name == CLASSIFY:
                part = classification_pb2.ClassificationResponse()
                await self._classify(task.model_spec, request.input, part)
                result.classification_result.CopyFrom(part.result)
            else:
                part = regression_pb2.RegressionResponse()
                await self._regress(task.model_spec, request.input, part)
                result.regression_result.CopyFrom(part.result)
            result.model_spec.CopyFrom(part.model_spec)
        return response

    async def get_model_metadata(self, request: Any) -> Any:
        """Answer a GetModelMetadataRequest: the signatures of a version."""
        if not request.metadata_field:
            raise InvalidArgumentError(
                "GetModelMetadataRequest must specify at least one metadata_field"
            )
        for field in request.metadata_field:
            if field != "signature_def":
                raise InvalidArgumentError(f"Metadata field {field} is not supported")
        with self._use(request.model_spec) as servable:
            signatures = get_model_metadata_pb2.SignatureDefMap()
            for name, signature in servable.model.signature_defs.items():
                signatures.signature_def[name].CopyFrom(signature)
            response = get_model_metadata_pb2.GetModelMetadataResponse()
            response.model_spec.name = servable.name
            response.model_spec.version.value = servable.version
        packed = any_pb2.Any()
        packed.Pack(signatures)
        response.metadata["signature_def"].CopyFrom(packed)
        return response

    async def _classify(self, spec: Any, given: Any, response: Any) -> None:
        with self._use(spec) as servable:
            rows = await classify(servable, spec.signature_name, serialized_examples(given))
        for row in rows:
            classes = response.result.classifications.add()
            for label, score in row:
                classes.classes.add(label=label, score=score)
        self._answered(response.model_spec, spec, servable)

    async def _regress(self, spec: Any, given: Any, response: Any) -> None:
        with self._use(spec) as servable:
            values = await regress(servable, spec.signature_name, serialized_examples(given))
        for value in values:
            response.result.regressions.add(value=value)
        self._answered(response.model_spec, spec, servable)

    def _use(self, spec: Any) -> Use:
        return use_of(self._servables, spec)

    def _arrays(self, tensors: Any) -> dict[str, Any]:
        left = self._most_bytes
        arrays = {}
        for name in tensors:
            try:
                arrays[name] = array_of_tensor(name, tensors[name], most_bytes=left)
            except TensorError as error:
                raise InvalidArgumentError(str(error)) from error
            left -= arrays[name].nbytes
        return arrays

    def _answered(self, response: Any, spec: Any, servable: Servable) -> None:
        """Say which version answered; not where the rows were divided between several."""
        request = REQUEST.get()
        versions = {version for version, _ in request.answered_by} if request else set()
        response.name = servable.name
        response.signature_name = spec.signature_name or DEFAULT_SIGNATURE
        if len(versions) < 2:
            response.version.value = versions.pop() if versions else servable.version


def use_of(servables: Servables, spec: model_pb2.ModelSpec) -> Use:
    """Return the version that a ModelSpec names.

    Raises:
        InvalidArgumentError: If it names no model.
        ServingError: As `Servables.get`.
    """
    if not spec.name:
        raise InvalidArgumentError("Missing ModelSpec: the request names no model.")
    version = spec.version.value if spec.HasField("version") else None
    return servables.get(spec.name, version, spec.version_label or None)


def serialized_examples(given: Any) -> list[bytes]:
    """Return the tf.Examples of an `Input`; the features of a common context are in each.

    Raises:
        InvalidArgumentError: If there are none.
    """
    kind = given.WhichOneof("kind")
    if kind == "example_list":
        return [example.SerializeToString() for example in given.example_list.examples]
    if kind == "example_list_with_context":
        # Serialized messages that follow each other are merged; what comes later wins.
        context = given.example_list_with_context.context.SerializeToString()
        return [
            _merged(context, example.SerializeToString())
            for example in given.example_list_with_context.examples
        ]
    raise InvalidArgumentError("Input is empty.")


def _merged(context: bytes, example: bytes) -> bytes:
    from tensorflow.core.example import example_pb2

    merged = example_pb2.Example.FromString(context)
    merged.MergeFromString(example)
    return bytes(merged.SerializeToString())


def _filtered(wanted: list[str], outputs: set[str]) -> list[str]:
    for name in wanted:
        if name not in outputs:
            raise InvalidArgumentError(
                f"output tensor alias not found in signature: {name} Outputs expected to be in the set "
                f"{{{','.join(sorted(outputs))}}}."
            )
        if wanted.count(name) > 1:
            raise InvalidArgumentError(f"duplicate output tensor alias: {name}")
    return wanted
