"""Metrics that are left to TensorFlow Model Analysis on Beam, in a process of its own."""
