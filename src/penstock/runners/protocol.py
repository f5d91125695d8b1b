"""The interface of runners: a runner decides when and where nodes run, and declares its abilities."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar, Protocol, Self, runtime_checkable

from penstock.dsl import Pipeline
from penstock.dsl.exceptions import PipelineError
from penstock.graph import Graph
from penstock.launch.pipeline_difference import PipelineDescription


class UnsupportedSetting(PipelineError):
    """A pipeline asks for something that its runner cannot do."""


@dataclasses.dataclass(frozen=True, slots=True)
class Limit:
    """A setting that a runner does not honour, or not in full.

    Attributes:
        node: The node, or the pipeline's name.
        setting: What was set.
        text: What happens instead, and what to do.
        fatal: Whether the runner refuses the pipeline for it.
    """

    node: str
    setting: str
    text: str
    fatal: bool

    def __str__(self) -> str:
        return f"{self.node}: {self.setting}: {self.text}"


@dataclasses.dataclass(frozen=True, slots=True)
class Abilities:
    """What a runner is able to do.

    Attributes:
        executes: `run` takes the pipeline to its end, on this machine, and returns a `RunResult`.
        resumes: `resume` goes on with a run that did not complete.
        compiles: `compile` returns the text of a file that another system runs.
        uses_this_machine: Nodes run on this machine: its cores, memory and accelerators count.
    """

    executes: bool = False
    resumes: bool = False
    compiles: bool = False
    uses_this_machine: bool = False


@runtime_checkable
class Runner(Protocol):
    """A runner, as the registry knows it.

    A new one is a folder of `penstock.runners` and a line in the registry, or a class in a distribution
    of its own that declares the entry point `penstock.runners`.

    Attributes:
        NAME: What it is called on the command line.
        ABILITIES: Its abilities; the command offers a verb for each one declared here.
        OPTIONS: What `from_options` takes: option to what it says in the help.

    A runner whose settings have a class of their own names it in `CONFIG`. Then the command looks for an
    object of it in the pipeline file, by preference one named `<runner>_config`, and gives it, or None, to
    `from_options` as a second argument.
    """

    NAME: ClassVar[str]
    ABILITIES: ClassVar[Abilities]
    OPTIONS: ClassVar[Mapping[str, str]]

    @classmethod
    def from_options(cls, options: Mapping[str, str]) -> Self:
        """Return a runner that is set up from the command line.

        Args:
            options: Values as typed, of options in `OPTIONS`.
        """
        ...

    def limits(self, graph: Graph) -> Sequence[Limit]:
        """Return the settings of a pipeline that it does not support; reported before anything runs."""
        ...

    def run(
        self, pipeline: Pipeline | Graph, *, parameters: Mapping[str, Any] | None = None
    ) -> Any:
        """Run the pipeline, or write it for another system."""
        ...


@runtime_checkable
class CompilingRunner(Runner, Protocol):
    """A runner that writes a pipeline for another system."""

    def compile(self, graph: Graph, parameters: Mapping[str, Any] | None = None) -> str:
        """Return the text of the file.

        Raises:
            UnsupportedSetting: If a limit is fatal; the message names each node and setting.
        """
        ...


@runtime_checkable
class ReadingRunner(CompilingRunner, Protocol):
    """A runner that reads what it has written, so that two files can be compared."""

    def describe(self, text: str) -> PipelineDescription:
        """Return what a file consists of.

        Args:
            text: As `compile` returned it, now or earlier.

        Raises:
            DefinitionError: If it is something else.
        """
        ...
