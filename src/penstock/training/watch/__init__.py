"""Watching a training: its progress, the metrics of its epochs, and TensorBoard's files."""
