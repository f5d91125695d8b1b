"""User code by its names, so that another process finds it without this one having imported it."""

from __future__ import annotations

import dataclasses
import json
import os
import re
from collections.abc import Callable, Mapping
from typing import Any, Self

from penstock.dsl.exceptions import DefinitionError
from penstock.dsl.main_module import MAIN, install_main, installed_source
from penstock.dsl.main_source import MainSource
from penstock.dsl.module_files import import_module_file
from penstock.dsl.references import import_from, reference, resolve
from penstock.dsl.values import decode, encode


@dataclasses.dataclass(frozen=True, slots=True)
class UserSource:
    """Where a component's user function and its configuration come from.

    Attributes:
        project_root: Folder that user modules are imported from.
        module_file: The file that defines the function, or None.
        function: The function's own name by `penstock.dsl.references.reference`, or None.
        config: `custom_config` as JSON.
        main: Source of what a notebook or prompt defines, or None.
        process: Id of the process in which it was named; there nothing is missing.
    """

    project_root: str
    module_file: str | None
    function: str | None
    config: Any
    main: str | None = None
    process: int = 0

    @classmethod
    def of(
        cls,
        project_root: str,
        module_file: str | None,
        function: Callable[..., Any] | str | None,
        custom_config: Mapping[str, Any] | None,
    ) -> Self:
        """Return the names of what was given.

        Raises:
            DefinitionError: If it is defined where no other process finds it.
        """
        name = None if function is None else reference(function)
        config = encode(dict(custom_config or {}))
        main = installed_source()
        named = re.findall(rf'"{MAIN}:(\w+)', json.dumps([name, config]))
        if main is None and named:
            source = MainSource.of(named)
            if refusal := source.refusal():
                raise DefinitionError(refusal)
            main = source.text
        return cls(project_root, module_file, name, config, main, os.getpid())

    def load(self) -> Any:
        """Return the module that defines the function, or the function itself, imported here."""
        self._prepare()
        if self.module_file is not None:
            return import_module_file(self.module_file, self.project_root)
        assert self.function is not None
        return resolve(self.function)

    def custom_config(self) -> dict[str, Any]:
        """Return the configuration; classes and functions in it are imported here."""
        self._prepare()
        config: dict[str, Any] = decode(self.config)
        return config

    def _prepare(self) -> None:
        import_from(self.project_root)
        # A notebook that runs its pipeline itself keeps its own `__main__`.
        if self.main is not None and self.process != os.getpid():
            install_main(self.main)
