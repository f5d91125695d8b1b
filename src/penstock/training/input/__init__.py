"""Batches of examples for training: NumPy from Arrow, shuffled, seekable, read ahead."""
