"""The resources that a node needs."""

from __future__ import annotations

import dataclasses
import math
import re
from typing import Any

from penstock.dsl.exceptions import ParameterError
from penstock.dsl.runtime_parameter import RuntimeParameter
from penstock.spelling import names_its_arguments

_MEMORY = re.compile(r"(?!0+(\.0+)?\D*$)\d+(\.\d+)?(Ki|Mi|Gi|Ti|K|M|G|T)?")
_UNITS = {
    "Ki": 2**10, "Mi": 2**20, "Gi": 2**30, "Ti": 2**40,
    "K": 10**3, "M": 10**6, "G": 10**9, "T": 10**12,
}  # fmt: skip


@names_its_arguments
@dataclasses.dataclass(frozen=True, slots=True)
class Resources:
    """Requests and limits of a node, the same for every runner.

    Each field may be a `RuntimeParameter`.

    Args:
        cpu: Cores, such as 2 or 0.5.
        memory: Bytes as Kubernetes writes them, such as `"16Gi"`.
        accelerator: `"nvidia.com/gpu"` or a model of GPU (`"nvidia-l4"`), or a TPU (`"tpu-v5e"`,
            `"google.com/tpu"`); None or empty for none.
        accelerator_count: How many of them a replica holds.
        topology: Of a TPU slice, such as `"2x4"`.
        replicas: Processes that work on the node together, each with the cores, the memory and the
            accelerators above. Only components that say so run in several.
        parameter_servers: Further processes that hold the parameters of a model, without accelerators.

    Raises:
        ParameterError: If a value is negative or does not have the form above.
    """

    cpu: float | None = None
    memory: str | None = None
    accelerator: str | None = None
    accelerator_count: int = 1
    topology: str | None = None
    replicas: int = 1
    parameter_servers: int = 0

    def __post_init__(self) -> None:
        cpu: Any = self.cpu
        memory, count = self.memory, self.accelerator_count
        if _given(cpu) and not (_is_number(cpu, (int, float)) and 0 < cpu < math.inf):
            raise ParameterError(f"Resources.cpu is a number above 0. Received: {cpu!r}")
        if _given(memory) and not (isinstance(memory, str) and _MEMORY.fullmatch(memory)):
            raise ParameterError(
                f"Resources.memory is a size such as '512Mi' or '16Gi'. Received: {memory!r}"
            )
        if _given(count) and not (_is_number(count, int) and count >= 0):
            raise ParameterError(
                f"Resources.accelerator_count is a whole number of 0 or more. Received: {count!r}"
            )
        for field, least in (("replicas", 1), ("parameter_servers", 0)):
            number = getattr(self, field)
            if _given(number) and not (_is_number(number, int) and number >= least):
                raise ParameterError(
                    f"Resources.{field} is a whole number of {least} or more. Received: {number!r}"
                )
        if _given(self.accelerator) and not isinstance(self.accelerator, str):
            raise ParameterError(
                f"Resources.accelerator is a name such as 'nvidia-l4' or 'tpu-v5e'. "
                f"Received: {self.accelerator!r}"
            )

        if _given(self.topology) and not isinstance(self.topology, str):
            raise ParameterError(
                f"Resources.topology is a text such as '2x4'. Received: {self.topology!r}"
            )
        self._check_runtime_parameters()

    def _check_runtime_parameters(self) -> None:
        fitting: dict[str, tuple[type, ...]] = {"cpu": (int, float)}
        fitting |= dict.fromkeys(("accelerator_count", "replicas", "parameter_servers"), (int,))
        for field in dataclasses.fields(self):
            value = getattr(self, field.name)
            wanted = fitting.get(field.name, (str,))
            if isinstance(value, RuntimeParameter) and value.ptype not in wanted:
                raise ParameterError(
                    f"Resources.{field.name} takes a runtime parameter of type "
                    f"{' or '.join(each.__name__ for each in wanted)}. Received: {value!r}"
                )

    @property
    def memory_bytes(self) -> int | None:
        """`memory` in bytes.

        Example:
            >>> Resources(memory="1.5Gi").memory_bytes
            1610612736
        """
        if self.memory is None or isinstance(self.memory, RuntimeParameter):
            return None
        unit = self.memory.lstrip("0123456789.")
        return int(float(self.memory[: len(self.memory) - len(unit)]) * _UNITS.get(unit, 1))

    @property
    def accelerators_in_all(self) -> int:
        """How many accelerators the node holds, those of all its replicas together."""
        return self.accelerator_count * self.replicas if self.accelerator else 0

    @property
    def is_tpu(self) -> bool:
        """Whether the accelerator is a TPU."""
        return isinstance(self.accelerator, str) and "tpu" in self.accelerator.lower()

    def items(self) -> dict[str, Any]:
        """Return the fields that were given."""
        return {
            field.name: getattr(self, field.name)
            for field in dataclasses.fields(self)
            if isinstance(getattr(self, field.name), RuntimeParameter)
            or getattr(self, field.name) != field.default
        }


def _given(value: Any) -> bool:
    return value is not None and not isinstance(value, RuntimeParameter)


def _is_number(value: Any, kind: Any) -> bool:
    return isinstance(value, kind) and not isinstance(value, bool)
