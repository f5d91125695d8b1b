"""On which machines of a cluster a pod may run."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

from penstock.dsl.exceptions import ParameterError
from penstock.dsl.pod.names import check_key, check_label
from penstock.spelling import names_its_arguments

_EFFECTS = ("NoSchedule", "PreferNoSchedule", "NoExecute")
_OPERATORS = {
    "In": True,
    "NotIn": True,
    "Exists": False,
    "DoesNotExist": False,
    "Gt": True,
    "Lt": True,
}
"""Operator to whether it takes values."""


@names_its_arguments
@dataclasses.dataclass(frozen=True, slots=True)
class Toleration:
    """A taint of machines that a pod puts up with.

    Args:
        key: Of the taint; None for every taint.
        value: Of the taint; None for every value.
        effect: `NoSchedule`, `PreferNoSchedule` or `NoExecute`; None for all of them.
        seconds: How long a pod stays on a machine that gets a `NoExecute` taint; None for ever.

    Raises:
        ParameterError: If a value has another form.

    Example:
        >>> Toleration("nvidia.com/gpu", effect="NoSchedule").operator
        'Exists'
    """

    key: str | None = None
    value: str | None = None
    effect: str | None = None
    seconds: int | None = None

    def __post_init__(self) -> None:
        if self.key is not None:
            check_label("Toleration.key", self.key, self.value or "")
        elif self.value is not None:
            raise ParameterError(
                f"A Toleration with a value needs the taint's key. Received: value={self.value!r}"
            )
        if self.effect is not None and self.effect not in _EFFECTS:
            raise ParameterError(
                f"Toleration.effect is one of {', '.join(_EFFECTS)}. Received: {self.effect!r}"
            )
        if self.seconds is not None and (self.effect != "NoExecute" or self.seconds < 0):
            raise ParameterError(
                "Toleration.seconds is 0 or more, and goes with effect='NoExecute'. "
                f"Received: seconds={self.seconds!r}, effect={self.effect!r}"
            )

    @property
    def operator(self) -> str:
        """`Equal` if a value must match, else `Exists`."""
        return "Exists" if self.value is None else "Equal"


@names_its_arguments
@dataclasses.dataclass(frozen=True, slots=True)
class NodeRule:
    """A condition on one label of a machine.

    Args:
        key: The label.
        operator: `In`, `NotIn`, `Exists`, `DoesNotExist`, `Gt` or `Lt`.
        values: What it is compared with; one number for `Gt` and `Lt`, none for `Exists` and
            `DoesNotExist`.

    Raises:
        ParameterError: If a value has another form.

    Example:
        >>> NodeRule("topology.kubernetes.io/zone", values=["europe-west4-a"]).operator
        'In'
    """

    key: str
    operator: str = "In"
    values: Sequence[str] = ()

    def __post_init__(self) -> None:
        check_key("NodeRule.key", self.key)
        if self.operator not in _OPERATORS:
            raise ParameterError(
                f"NodeRule.operator is one of {', '.join(_OPERATORS)}. Received: {self.operator!r}"
            )
        given = [] if isinstance(self.values, str) else list(self.values)
        fits = all(isinstance(each, str) for each in given) and not isinstance(self.values, str)
        if self.operator in ("Gt", "Lt"):
            fits = fits and len(given) == 1 and given[0].lstrip("-").isdigit()
        if not fits or bool(given) != _OPERATORS[self.operator]:
            wanted = {
                "Gt": "one whole number, as text", "Lt": "one whole number, as text",
                "Exists": "no values", "DoesNotExist": "no values",
            }.get(self.operator, "a list of texts")  # fmt: skip
            raise ParameterError(
                f"NodeRule({self.key!r}, {self.operator!r}) takes {wanted}. Received: {self.values!r}"
            )
        object.__setattr__(self, "values", tuple(given))


@names_its_arguments
@dataclasses.dataclass(frozen=True, slots=True)
class NodeAffinity:
    """Machines that a pod needs, or prefers.

    Args:
        rules: All of them must hold.
        weight: From 1 to 100 for a preference; None for a requirement. Of several requirements one is
            enough.

    Raises:
        ParameterError: If there is no rule, or the weight is out of range.
    """

    rules: Sequence[NodeRule]
    weight: int | None = None

    def __post_init__(self) -> None:
        given = (self.rules,) if isinstance(self.rules, NodeRule) else tuple(self.rules)
        if not given or not all(isinstance(each, NodeRule) for each in given):
            raise ParameterError(
                f"NodeAffinity.rules is a list of NodeRule(...). Received: {self.rules!r}"
            )
        weight = self.weight
        if weight is not None and not (type(weight) is int and 1 <= weight <= 100):
            raise ParameterError(
                f"NodeAffinity.weight is a whole number from 1 to 100. Received: {weight!r}"
            )
        object.__setattr__(self, "rules", given)
