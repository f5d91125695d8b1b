"""The cache key of an execution, in a form that can be read and compared."""

from __future__ import annotations

import hashlib
import importlib.metadata
import json
from collections.abc import Mapping, Sequence
from functools import cache
from typing import Any

from penstock.artifacts import Artifact, location
from penstock.artifacts.fingerprint import digest_file
from penstock.dsl.component import Component
from penstock.dsl.exceptions import DefinitionError
from penstock.dsl.main_module import MAIN
from penstock.dsl.module_files import find_module_file
from penstock.dsl.references import resolve
from penstock.dsl.values import decode
from penstock.graph import GraphNode
from penstock.launch.attempt import RunSettings
from penstock.launch.digest_memo import DigestMemo
from penstock.launch.source.closure import UNKNOWN, SourceClosure

KeyParts = Mapping[str, Any]
"""The key in readable form: section to name to value."""


class CacheKeys:
    """Makes the cache keys of a run's nodes.

    A key holds the node's id and type, the digests of the code that its component can reach, the
    versions of the libraries that it declares, its parameters, the seed and determinism where it uses
    them, the fingerprints of its inputs and the content of external files. The name of the pipeline,
    ids, paths, times, engines and worker counts are not in it.

    Args:
        settings: Of the run.
        memo: Remembers digests of files.
    """

    def __init__(self, settings: RunSettings, memo: DigestMemo) -> None:
        self._settings = settings
        self._memo = memo
        self._closure = SourceClosure(settings.project_root, memo, settings.main_source)

    def parts(self, node: GraphNode, inputs: Mapping[str, Sequence[Artifact]]) -> KeyParts:
        """Return the key of an execution of `node` on `inputs`, in readable form.

        Raises:
            FileNotFoundError: If an external file or a module file does not exist.
        """
        component_class: type[Component] = resolve(node.component)
        parameters = dict(node.parameters)
        entries = [_entry(node.component)]
        entries += [
            _entry(f"{each.__module__}:{each.__qualname__}") for each in component_class.__mro__
        ]
        entries += _entries_in(parameters)
        for key, kind in node.special.items():
            value = parameters.pop(key, None)
            if kind == "module_file" and value:
                module = self._module_of(node, key, value)
                called = _called_of_modules(component_class)
                entries += [f"{module}:{name}" for name in called] or [module]
        parts: dict[str, Any] = {
            "node": node.id,
            "component": node.type_name,
            "code": self._code(entries),
            "libraries": {name: library_version(name) for name in node.libraries},
            "parameters": parameters,
            "inputs": {
                key: [artifact.fingerprint for artifact in artifacts]
                for key, artifacts in inputs.items()
            },
            "external": self.external(node),
        }
        if node.uses_seed:
            parts["seed"] = self._settings.seed
            parts["deterministic"] = self._settings.deterministic
        return parts

    def _code(self, entries: Sequence[str]) -> dict[str, str]:
        found = self._closure.digests(entries)
        unknown = {f"{MAIN}:{name}" for name in self._settings.unknown}.intersection(found)
        # Two runs never agree on what is not known.
        return found | dict.fromkeys(sorted(unknown), f"{UNKNOWN} {self._settings.run_id}")

    def _module_of(self, node: GraphNode, key: str, value: str) -> str:
        try:
            return find_module_file(value, self._settings.project_root).name
        except (FileNotFoundError, DefinitionError) as error:
            raise type(error)(f"{node.id}({key}={value!r}): {error}") from None

    def external(self, node: GraphNode) -> dict[str, str]:
        """Return the digests of the outside files that a node reads, by name.

        Raises:
            FileNotFoundError: If one does not exist.
        """
        component_class: type[Component] = resolve(node.component)
        if (
            "external_path" not in node.special.values()
            and component_class.external_files is Component.external_files
        ):
            return {}
        component = component_class.bind(
            inputs={},
            outputs={},
            parameters=decode(dict(node.parameters), import_functions=False),
            check=False,
        )
        files = component.external_files(self._resolve)
        return {name: self._digest(path) for name, path in sorted(files.items())}

    def is_current(self, node: GraphNode, outputs: Mapping[str, Sequence[Artifact]]) -> bool:
        """Return whether an earlier result of a node still holds in the outside world."""
        component_class: type[Component] = resolve(node.component)
        if component_class.is_current is Component.is_current:
            return True
        component = component_class.bind(
            inputs={},
            outputs={},
            parameters=decode(dict(node.parameters), import_functions=False),
            check=False,
        )
        return component.is_current(outputs, self._resolve)

    def _resolve(self, path: str) -> str:
        return location.absolute(path, self._settings.project_root)

    def _digest(self, path: str) -> str:
        if location.is_local(path):
            return str(self._memo.value("content", location.local_path(path), digest_file))
        return hashlib.sha256(location.read_bytes(path)).hexdigest()


def digest_of(parts: KeyParts) -> str:
    """Return the key of these parts, 64 hex digits."""
    text = json.dumps(parts, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()


@cache
def library_version(distribution: str) -> str:
    """Return the installed version of a distribution, or `absent`."""
    try:
        return importlib.metadata.version(distribution)
    except importlib.metadata.PackageNotFoundError:
        return "absent"


def _entry(name: str) -> str:
    """Return where the code of a class or function begins; Penstock's own counts by module."""
    return name.partition(":")[0] if name.startswith("penstock.") else name


def _called_of_modules(component_class: type[Component]) -> Sequence[str]:
    """Return the functions that a component calls of its module files; none if that is not known.

    A subclass that runs otherwise may call others, unless it declares them itself.
    """
    for each in component_class.__mro__:
        if "MODULE_FUNCTIONS" in vars(each):
            return component_class.MODULE_FUNCTIONS
        if "run" in vars(each):
            return ()
    return ()


def _entries_in(value: Any) -> list[str]:
    """Return the functions and classes that stand in encoded parameters."""
    if isinstance(value, Mapping):
        named = [
            _entry(text)
            for key, text in value.items()
            if key
            in ("$name", "$object", "$dataclass", "$enum", "$flags", "$named_tuple", "$message")
        ]
        if "$message" in value:
            # A MetricConfig names the class and module of a metric of your own.
            named += _metrics_in(value["fields"])
        return named + [name for each in value.values() for name in _entries_in(each)]
    if isinstance(value, list):
        return [name for each in value for name in _entries_in(each)]
    return []


def _metrics_in(fields: Any) -> list[str]:
    """Return the classes that a message names by `module` and `class_name`, as a MetricConfig does."""
    if isinstance(fields, Mapping):
        module, name = fields.get("module"), fields.get("class_name")
        named = [f"{module}:{name}"] if isinstance(module, str) and isinstance(name, str) else []
        return named + [entry for each in fields.values() for entry in _metrics_in(each)]
    if isinstance(fields, list):
        return [entry for each in fields for entry in _metrics_in(each)]
    return []
