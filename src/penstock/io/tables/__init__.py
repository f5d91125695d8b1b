"""Parquet, Avro and SQL: tables with typed columns, read for ingestion."""
