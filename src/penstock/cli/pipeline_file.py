"""Loading a pipeline file, and which object in it is the pipeline."""

from __future__ import annotations

import contextlib
import dataclasses
import inspect
import os
import sys
import traceback
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import ModuleType

from penstock.checks.finding import Finding, place_of, shown_path
from penstock.cli.definition_errors import explain_error
from penstock.cli.errors import NotFound, PipelineFileError
from penstock.dsl import DefinitionError, Node, Pipeline
from penstock.dsl.importing import import_definitions
from penstock.dsl.references import import_from, module_name
from penstock.graph import Graph, compile_pipeline
from penstock.project_root import find_project_root
from penstock.spelling import closest


@dataclasses.dataclass(frozen=True, slots=True)
class PipelineFile:
    """A pipeline that was read from a file.

    Attributes:
        path: The file, absolute.
        shown: The file as messages name it.
        project_root: Folder that user code is imported from.
        pipeline: What it defines.
        module: What the file is imported as.
        unlisted: Nodes that the file names and no pipeline of it holds.
    """

    path: str
    shown: str
    project_root: str
    pipeline: Pipeline
    module: ModuleType
    unlisted: Sequence[Node] = ()

    def unlisted_findings(self) -> list[Finding]:
        """Return a warning for each node that is made and will not run."""
        return [
            Finding(
                "warning",
                place_of(node),
                f"{node.id} is created here, but is not in the pipeline's components. Add it, or "
                "remove it.",
            )
            for node in self.unlisted
        ]

    def compile(self, pipeline: Pipeline | None = None) -> Graph:
        """Return the graph of the pipeline (or of a part of it).

        Raises:
            PipelineFileError: If it has none.
        """
        try:
            return compile_pipeline(self.pipeline if pipeline is None else pipeline)
        except DefinitionError as error:
            raise PipelineFileError(f"{self.shown}: {error}") from None


def load_pipeline(file: str) -> PipelineFile:
    """Import a file under its dotted name in its project and return the pipeline that it defines.

    That is the object named `pipeline`, else the only `Pipeline` of the module, else what its
    `create_pipeline()` returns. What the file prints goes to the standard error.

    Args:
        file: Path of a Python file.

    Raises:
        NotFound: If there is no such file.
        PipelineFileError: If it cannot be imported or defines no pipeline.
    """
    path = Path(file)
    if not path.is_file():
        raise NotFound(_no_file(path))
    if path.suffix != ".py":
        raise PipelineFileError(f"a pipeline is a Python file (*.py). Received: {file!r}")
    path = path.absolute()
    root = find_project_root(path)
    shown = shown_path(str(path))
    try:
        name = module_name(path, root)
    except DefinitionError as error:
        raise PipelineFileError(str(error)) from None
    with contextlib.redirect_stdout(sys.stderr):
        module = _import(name, str(path), str(root))
        pipeline = _pipeline_of(module, str(path), shown)
    return PipelineFile(str(path), shown, str(root), pipeline, module, _unlisted(module, pipeline))


def _import(name: str, path: str, root: str) -> ModuleType:
    import_from(root)
    try:
        module = import_definitions(name)
    except SyntaxError as error:
        where = f"{shown_path(error.filename or path)}:{error.lineno or 1}"
        line = (error.text or "").strip()
        raise PipelineFileError(f"{where}: {error.msg}\n    {line}".rstrip()) from None
    except SystemExit as end:
        raise _exited(end, path) from None
    except Exception as error:
        raise explain_error(error, path) from None
    found = getattr(module, "__file__", None)
    if found is None or not os.path.samefile(found, path):
        raise PipelineFileError(
            f"{shown_path(path)} is imported as {name!r}, but Python finds {found or 'a package'} under "
            "that name. Rename it or its folder."
        )
    return module


def _exited(end: SystemExit, path: str) -> PipelineFileError:
    """Return what to say of a file that ends the process where it should define a pipeline."""
    lines = [frame for frame in traceback.extract_tb(end.__traceback__) if frame.filename == path]
    where = f"{shown_path(path)}:{lines[-1].lineno}" if lines else shown_path(path)
    return PipelineFileError(
        f"{where}: the file calls exit({end.code!r}) where it is imported. Put what is only for running "
        'it as a script below `if __name__ == "__main__":`.'
    )


def _pipeline_of(module: ModuleType, path: str, shown: str) -> Pipeline:
    named = getattr(module, "pipeline", None)
    if isinstance(named, Pipeline):
        return named
    found = {id(each): each for each in vars(module).values() if isinstance(each, Pipeline)}
    if len(found) == 1:
        return next(iter(found.values()))
    if found:
        names = [name for name, each in vars(module).items() if isinstance(each, Pipeline)]
        raise PipelineFileError(
            f"{shown} defines several pipelines: {', '.join(names)}. Name the one to use `pipeline`."
        )
    create = getattr(module, "create_pipeline", None)
    if callable(create):
        required = [
            each.name
            for each in inspect.signature(create).parameters.values()
            if each.default is each.empty
            and each.kind not in (each.VAR_POSITIONAL, each.VAR_KEYWORD)
        ]
        if required:
            raise PipelineFileError(
                f"{shown}: create_pipeline() needs {', '.join(required)}. Give these defaults, or "
                "write `pipeline = create_pipeline(...)` at the top level."
            )
        try:
            made = create()
        except SystemExit as end:
            raise _exited(end, path) from None
        except Exception as error:
            raise explain_error(error, path) from None
        if isinstance(made, Pipeline):
            return made
        raise PipelineFileError(
            f"{shown}: create_pipeline() returned {type(made).__name__}, expected a Pipeline"
        )
    raise PipelineFileError(
        f"{shown} defines no pipeline. Write `pipeline = Pipeline(...)` at its top level, or a "
        "function create_pipeline() that returns one."
    )


def _unlisted(module: ModuleType, pipeline: Pipeline) -> list[Node]:
    values = [each for name, each in vars(module).items() if not name.startswith("_")]
    pipelines = [pipeline, *(each for each in values if isinstance(each, Pipeline))]
    listed = {id(node) for each in pipelines for node in each}
    made = {id(each): each for each in values if isinstance(each, Node)}
    return [node for key, node in made.items() if key not in listed]


def _no_file(path: Path) -> str:
    if path.is_dir():
        return f"{path} is a folder; give the path of a pipeline file in it"
    folder = path.parent
    # By their names alone: what all of them share, the folder and the ending, makes none of them near.
    others = {each.stem: str(each) for each in folder.glob("*.py")} if folder.is_dir() else {}
    near = closest(path.stem, others)
    hint = "" if near is None else f" Did you mean {others[near]!r}?"
    return f"there is no file {str(path)!r}.{hint}"


def select_nodes(loaded: PipelineFile, chosen: Mapping[str, list[str] | None]) -> Pipeline:
    """Return the part of a pipeline that `--only`, `--from` and `--to` name.

    Args:
        loaded: The pipeline.
        chosen: Names of nodes by `only`, `from` and `to`; None or empty where not given.

    Raises:
        penstock.dsl.PipelineError: For an unknown node, with the nearest name.
    """
    pipeline = loaded.pipeline
    only, start, end = (chosen.get(each) for each in ("only", "from", "to"))
    if only:
        return pipeline.only(*only)
    if start and end:
        reached = {node.id for node in pipeline.from_nodes(*start)}
        needed = {node.id for node in pipeline.to_nodes(*end)}
        return pipeline.filter(lambda node: node.id in reached and node.id in needed)
    if start:
        return pipeline.from_nodes(*start)
    if end:
        return pipeline.to_nodes(*end)
    return pipeline
