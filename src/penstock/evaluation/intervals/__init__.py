"""Confidence intervals: how metrics are computed of samples of the rows, and what follows from them."""
