"""Components that the tests of the definition language wire."""

from collections.abc import Sequence
from typing import NamedTuple

from penstock.artifacts import Examples, ExampleStatistics, Integer, Model, Schema
from penstock.dsl import (
    Component,
    ExecutionContext,
    ExternalPath,
    Input,
    ModuleFile,
    Output,
    component,
    output,
)


class Gen(Component):
    """Makes examples."""

    path: ExternalPath
    rows: int = 1
    examples: Output[Examples] = output()

    def run(self, context: ExecutionContext) -> None:
        with open(f"{self.examples.uri}/rows", "w") as file:
            file.write("x" * self.rows)


class Stats(Component):
    """Reads examples."""

    examples: Input[Examples]
    schema: Input[Schema] | None = None
    rows: int = 0
    names: Sequence[str] = ()
    statistics: Output[ExampleStatistics] = output()
    extra: Output[Schema] = output(optional=True)

    def check(self) -> None:
        if self.rows == 13:
            raise ValueError("rows cannot be 13")


class Train(Component):
    """Reads several."""

    examples: Input[list[Examples]]
    module_file: ModuleFile
    model: Output[Model] = output()


@component
def count(examples: Input[Examples], split: str = "train") -> int:
    """Counts."""
    return 3


class Sums(NamedTuple):
    total: int
    mean: float


@component(libraries=("numpy",), uses_seed=False)
def sums(a: int, b: int, context: ExecutionContext, log: Output[Integer]) -> Sums:
    log.value = a
    return Sums(a + b, (a + b) / 2)
