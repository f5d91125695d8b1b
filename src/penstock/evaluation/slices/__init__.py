"""Which slices rows are in, and the values of metrics by slice."""
