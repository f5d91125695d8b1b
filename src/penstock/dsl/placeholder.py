"""Placeholders: stand-ins, in a definition, for values that only a run has."""

from __future__ import annotations

from typing import NoReturn

from penstock.dsl.exceptions import ParameterError


class Placeholder:
    """Base of channels and runtime parameters, which cannot become text or be used as a condition.

    `f"data/{day}"` would hold the placeholder's name, not its value; `if channel:` would always be
    true and `day == "monday"` always false. All raise an error at that line. `repr` works, for
    messages.
    """

    def _refuse(self, use: str, instead: str) -> NoReturn:
        raise ParameterError(
            f"{self!r} has no value while the pipeline is defined, so it cannot {use}. {instead}"
        )

    def _as_text(self) -> NoReturn:
        self._refuse(
            "become part of a string",
            "Pass it to a component as it is, and build the string where the component runs.",
        )

    def __str__(self) -> str:
        self._as_text()

    def __format__(self, specification: str, /) -> str:
        self._as_text()

    def __bool__(self) -> bool:
        self._refuse(
            "decide a condition",
            "Pass it to a component as it is, and decide where the component runs; to test whether "
            "something was given, write `is not None`.",
        )

    def __eq__(self, other: object) -> bool:
        if isinstance(other, (str, bytes, int, float)):
            self._refuse(
                f"be compared with {other!r}",
                "Pass it to a component as it is, and compare where the component runs.",
            )
        return self is other

    def __hash__(self) -> int:
        return id(self)
