"""Writing to the store: runs, executions, contexts."""
