"""Statistics of RecordBatches as mergeable kernels: `add(batch)`, `merge(other)`, `result()`."""
