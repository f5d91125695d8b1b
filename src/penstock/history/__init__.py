"""Comparing runs: parameters, code, data, metrics by slice, times."""

from penstock.history.comparison import ComparedRow, RunComparison, compare_runs

__all__ = ["ComparedRow", "RunComparison", "compare_runs"]
