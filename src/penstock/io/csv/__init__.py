"""CSV files: their cells, the types of their columns, and reading them for ingestion."""
