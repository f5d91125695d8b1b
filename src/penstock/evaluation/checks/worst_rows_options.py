"""Checks of what the Evaluator is asked of single rows; without NumPy."""

from __future__ import annotations


def check_worst_rows(count: int, id_key: str) -> None:
    """Raise a `ValueError` unless there are both a number of rows and an id, or neither.

    Example:
        >>> check_worst_rows(20, "")
        Traceback (most recent call last):
        ...
        ValueError: worst_rows needs id_key: the feature that says which row it is.
    """
    if isinstance(count, int) and count < 0:
        raise ValueError(f"worst_rows must not be negative. Received: {count}")
    if count and not id_key:
        raise ValueError("worst_rows needs id_key: the feature that says which row it is.")
    if id_key and not count:
        raise ValueError(
            f"id_key has no effect without worst_rows. Set worst_rows=20, or leave it out. "
            f"Received: {id_key!r}"
        )
