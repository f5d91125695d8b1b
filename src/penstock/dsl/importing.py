"""Importing user code for its definitions, even from a script that runs its pipeline on import.

A script without `if __name__ == "__main__":` runs its pipeline at the top level. When it is
imported only to find a component in it, in a worker or by the `penstock` command, its import ends
at that run: everything above it has been defined by then, as in the process that really runs it.
"""

from __future__ import annotations

import importlib
import sys
from types import FrameType, ModuleType

from penstock.dsl.exceptions import DefinitionError

_importing: list[str] = []
_ended_at: dict[str, str] = {}


class _RunReached(BaseException):
    """A module that is imported for its definitions has reached a run of a pipeline."""

    def __init__(self, module: ModuleType, place: str) -> None:
        super().__init__(f"{place}: a run begins here")
        self.module = module
        self.place = place


def import_definitions(name: str) -> ModuleType:
    """Import a module; if it reaches a run of a pipeline, return what it has defined so far.

    Raises:
        ImportError: As any import.
        DefinitionError: If another module, which it imports, runs a pipeline.
    """
    if name in sys.modules:
        return sys.modules[name]
    _importing.append(name)
    try:
        return importlib.import_module(name)
    except _RunReached as reached:
        module = reached.module
        if module.__name__ != name:
            raise DefinitionError(
                f"{name} imports {module.__name__}, which runs a pipeline when it is imported "
                f'({reached.place}). Put that call below `if __name__ == "__main__":`.'
            ) from None
        _ended_at[name] = reached.place
        # Python has thrown it away, since its import did not come to its end.
        sys.modules[name] = module
        package, _, last = name.rpartition(".")
        if package:
            setattr(sys.modules[package], last, module)
        return module
    finally:
        _importing.pop()


def why_incomplete(name: str) -> str:
    """Return why a module may lack names, as a sentence to add to a message; else an empty string."""
    if name not in _ended_at:
        return ""
    return (
        f". Its import ends at the pipeline that it runs ({_ended_at[name]}): put that call below "
        '`if __name__ == "__main__":`'
    )


def stop_if_imported() -> None:
    """End the import that this is called in, if a module is imported for its definitions only.

    Runners call it before they do anything.
    """
    if not _importing:
        return
    frame: FrameType | None = sys._getframe(1)
    while frame is not None:
        name = frame.f_globals.get("__name__", "")
        if frame.f_code.co_name == "<module>" and name in sys.modules:
            place = f"{frame.f_code.co_filename}:{frame.f_lineno}"
            raise _RunReached(sys.modules[name], place)
        frame = frame.f_back
