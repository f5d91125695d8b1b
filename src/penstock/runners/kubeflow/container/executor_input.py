"""What Kubeflow tells a container: the ExecutorInput message, in the JSON form of Protocol Buffers.

Source of the format: `ExecutorInput` and `ExecutorOutput` in `pipeline_spec.proto` of Kubeflow
Pipelines v2; the folders that its launcher maps object stores to are those of `launcher_v2.go`.
"""

from __future__ import annotations

import dataclasses
import json
import os
from collections.abc import Mapping
from typing import Any, Self

_FOLDERS = {"gs://": "/gcs/", "minio://": "/minio/", "s3://": "/s3/"}


class ExecutorInputError(ValueError):
    """What was given as ExecutorInput is none."""


@dataclasses.dataclass(frozen=True, slots=True)
class OutputSlot:
    """Where one output's reference is to be written.

    Attributes:
        name: Name that Kubeflow gave the artifact.
        uri: Where Kubeflow will keep it.
        path: Local file that is uploaded there.
    """

    name: str
    uri: str
    path: str


@dataclasses.dataclass(frozen=True, slots=True)
class ExecutorInput:
    """Inputs and outputs of one task.

    Attributes:
        parameters: Input parameters by name.
        inputs: Local file of each input artifact, by name.
        outputs: Output artifacts by name.
        output_file: Local file for the ExecutorOutput message.
        output_parameters: Local file for each output parameter, by name.
    """

    parameters: Mapping[str, Any]
    inputs: Mapping[str, str]
    outputs: Mapping[str, OutputSlot]
    output_file: str
    output_parameters: Mapping[str, str] = dataclasses.field(default_factory=dict)

    @classmethod
    def parse(cls, text: str) -> Self:
        """Return the message that `text` holds.

        Args:
            text: The JSON itself, or the path of a file that holds it.

        Raises:
            ExecutorInputError: If it is neither, or names no file for the output.

        Example:
            >>> ExecutorInput.parse('{"outputs": {"outputFile": "/tmp/out.json"}}').output_file
            '/tmp/out.json'
        """
        if not text.lstrip().startswith("{"):
            try:
                with open(text, encoding="utf-8") as file:
                    text = file.read()
            except OSError as error:
                raise ExecutorInputError(
                    "--executor-input takes Kubeflow's ExecutorInput as JSON, or a file that holds "
                    f"it. Received: {text!r} ({error.strerror})"
                ) from None
        try:
            value = json.loads(text)
            inputs, outputs = value.get("inputs", {}), value["outputs"]
            return cls(
                parameters=inputs.get("parameterValues", {}),
                inputs={
                    name: local_path(each["artifacts"][0]["uri"])
                    for name, each in inputs.get("artifacts", {}).items()
                    if each.get("artifacts")
                },
                outputs={
                    name: _slot(name, each["artifacts"][0])
                    for name, each in outputs.get("artifacts", {}).items()
                },
                output_file=outputs["outputFile"],
                output_parameters={
                    name: each["outputFile"] for name, each in outputs.get("parameters", {}).items()
                },
            )
        except (ValueError, LookupError, TypeError, AttributeError) as error:
            raise ExecutorInputError(
                f"This is not an ExecutorInput of Kubeflow Pipelines v2 ({type(error).__name__}: "
                f"{error}). Received: {text[:200]}"
            ) from None

    def write_parameter(self, name: str, value: str) -> None:
        """Write an output parameter that is a text."""
        path = self.output_parameters[name]
        os.makedirs(os.path.dirname(path) or ".", exist_ok=True)
        with open(path, "w", encoding="utf-8") as file:
            file.write(value)

    def write_output(self, metadata: Mapping[str, Mapping[str, Any]]) -> None:
        """Write the ExecutorOutput message.

        Args:
            metadata: What Kubeflow shows of each output artifact, by its name: JSON values.
        """
        artifacts = {
            name: {"artifacts": [{"name": slot.name, "uri": slot.uri, "metadata": metadata[name]}]}
            for name, slot in self.outputs.items()
            if name in metadata
        }
        os.makedirs(os.path.dirname(self.output_file) or ".", exist_ok=True)
        with open(self.output_file, "w", encoding="utf-8") as file:
            json.dump({"artifacts": artifacts}, file)


def local_path(uri: str) -> str:
    """Return the local file that Kubeflow's launcher keeps an artifact's content in.

    Example:
        >>> local_path("minio://mlpipeline/v2/schema"), local_path("/root/schema")
        ('/minio/mlpipeline/v2/schema', '/root/schema')
    """
    for scheme, folder in _FOLDERS.items():
        if uri.startswith(scheme):
            return folder + uri.removeprefix(scheme)
    return uri.removeprefix("file://")


def _slot(name: str, artifact: Mapping[str, Any]) -> OutputSlot:
    return OutputSlot(artifact.get("name", name), artifact["uri"], local_path(artifact["uri"]))
