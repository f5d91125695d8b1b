"""ImportSchemaGen: imports a schema that was written by hand."""

from __future__ import annotations

from typing import ClassVar

from penstock.artifacts import Schema
from penstock.dsl import Component, ExecutionContext, ExternalPath, Output, output


class ImportSchemaGen(Component):
    """Imports a schema file into the pipeline.

    Args:
        schema_file: A schema as a text proto; a path or an fsspec URL.

    Outputs:
        schema: `schema.pbtxt`, the same schema.

    Example:
        ImportSchemaGen(schema_file="schema/schema.pbtxt")
    """

    TYPE_NAME: ClassVar = "tfx.components.schema_gen.import_schema_gen.component.ImportSchemaGen"
    TYPE_ANNOTATION: ClassVar = "mlmd.Process"
    LIBRARIES: ClassVar = ("tensorflow-metadata",)
    USES_SEED: ClassVar = False
    READS_URLS: ClassVar = True

    schema_file: ExternalPath
    schema: Output[Schema] = output()

    def run(self, context: ExecutionContext) -> None:
        """Read the file, which checks it, and write the schema."""
        from penstock.data_validation import load_schema_text, write_schema_text

        schema = load_schema_text(context.resolve_path(self.schema_file))
        write_schema_text(schema, f"{self.schema.uri}/schema.pbtxt")
