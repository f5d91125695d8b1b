"""Reading the store: artifacts, executions, lineage, the cache."""
