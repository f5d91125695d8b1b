"""Importers: external data that becomes artifacts."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar, Literal

from penstock.artifacts import Artifact
from penstock.dsl.channel import Channel
from penstock.dsl.exceptions import ParameterError, WiringError
from penstock.dsl.node import Node, Outputs
from penstock.dsl.runtime_parameter import RuntimeParameter
from penstock.spelling import names_its_arguments


@names_its_arguments
@names_its_arguments
class Importer(Node):
    """Registers the content of a URI as an artifact, in place; nothing is copied.

    The same URI with the same content and properties is the same artifact in later runs.

    Args:
        source_uri: Path (relative ones from the project's root) or URL.
        artifact_type: Class of the artifact.
        reimport: Whether to register a new artifact each time.
        properties: Declared properties of the artifact.
        custom_properties: Further properties of the artifact.
        output_key: Key of the only output.

    Raises:
        WiringError: If `artifact_type` is not an artifact class.
        ParameterError: If `source_uri` is empty or a property is not declared.

    Example:
        Importer("data/schema", Schema).outputs["result"]
    """

    KIND: ClassVar[Literal["component", "resolver", "importer"]] = "importer"
    TYPE_NAME: ClassVar[str] = "tfx.dsl.components.common.importer.Importer"

    def __init__(
        self,
        source_uri: str,
        artifact_type: type[Artifact],
        reimport: bool = False,
        properties: Mapping[str, Any] | None = None,
        custom_properties: Mapping[str, Any] | None = None,
        output_key: str = "result",
    ) -> None:
        super().__init__("Importer")
        if not (isinstance(artifact_type, type) and issubclass(artifact_type, Artifact)):
            raise WiringError(
                f"Importer(artifact_type=...) takes an artifact class. Received: {artifact_type!r}"
            )
        given = isinstance(source_uri, RuntimeParameter) or (
            isinstance(source_uri, str) and source_uri != ""
        )
        if not given:
            raise ParameterError(
                f"Importer(source_uri=...) takes a path or URL. Received: {source_uri!r}"
            )
        try:
            artifact_type(properties=properties)
        except KeyError as error:
            raise ParameterError(f"Importer: {error.args[0]}") from None
        self.source_uri = source_uri
        self.artifact_type = artifact_type
        self.reimport = reimport
        self.properties = dict(properties or {})
        self.custom_properties = dict(custom_properties or {})
        self._outputs = Outputs(self, {output_key: Channel(self, output_key, artifact_type)})
