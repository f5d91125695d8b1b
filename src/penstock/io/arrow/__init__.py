"""Arrow arrays and batches, to and from NumPy and bytes."""
