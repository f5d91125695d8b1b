"""TFRecord files: their frames, their blocks, and reading them for ingestion."""
