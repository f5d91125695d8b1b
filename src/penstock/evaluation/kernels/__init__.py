"""What is kept of the rows for metrics, for all slices at once."""
