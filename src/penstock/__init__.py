"""Penstock: TFX-style machine-learning pipelines that are parallel, resumable and explainable."""

__version__ = "0.1.0"
