"""Series: rows in the order of time, and the windows that a model learns from."""
