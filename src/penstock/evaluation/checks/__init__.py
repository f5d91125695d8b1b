"""Checks of an EvalConfig before anything is loaded; without NumPy."""
