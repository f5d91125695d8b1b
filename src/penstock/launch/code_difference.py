"""What differs between the code of two cache keys, in sentences."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import NamedTuple

from penstock.dsl.main_module import MAIN
from penstock.launch.source.closure import ON_IMPORT, ORDER, UNKNOWN

_MOST_MODULES = 3


class CodeChange(NamedTuple):
    """A module, or a name in one, whose digest differs; None stands where a side lacks it."""

    name: str
    old: str | Mapping[str, str] | None
    new: str | Mapping[str, str] | None
    sentence: str


def code_changes(old: Mapping[str, str], new: Mapping[str, str]) -> list[CodeChange]:
    """Return what differs between two code sections: the project's own first, then Penstock's.

    What changed comes before what is used now or no longer, which mostly follows from it. Many modules
    of Penstock, as after an upgrade, are one change.

    Args:
        old: Of the earlier key (`SourceClosure.digests`).
        new: Of the later key.

    Example:
        >>> old = {"modules.a:f": "1", "modules.a:g": "2"}
        >>> [each.sentence for each in code_changes(old, old | {"modules.a:f": "3"})]
        ['modules/a.py: f changed']
    """
    names = [each for each in dict.fromkeys([*old, *new]) if old.get(each) != new.get(each)]
    library = [each for each in names if each.partition(".")[0] == "penstock"]
    own = list(_project(old, new, [each for each in names if each not in library]))
    if len(library) <= _MOST_MODULES:
        return own + [_change(old, new, name) for name in library]
    sentence = f"Penstock's own code changed: {len(library)} modules, such as {library[0]}"
    before = {name: old[name] for name in library if name in old}
    after = {name: new[name] for name in library if name in new}
    return [*own, CodeChange("penstock", before, after, sentence)]


def _project(
    old: Mapping[str, str], new: Mapping[str, str], names: list[str]
) -> Iterator[CodeChange]:
    known = {name.partition(":")[0] for name in old} & {name.partition(":")[0] for name in new}
    changed: dict[str, CodeChange] = {}
    followed: list[CodeChange] = []
    for name in names:
        module = name.partition(":")[0]
        if name in old and name in new:
            changed[name] = _change(old, new, name)
        elif module in known and (module in old) != (module in new):
            # It counted by its names and counts as a whole now, or the other way round.
            sentence = f"{file_of(module)} changed"
            changed[module] = CodeChange(module, old.get(module), new.get(module), sentence)
        else:
            followed.append(_change(old, new, name))
    # That modules are imported in another order needs no saying where they are others.
    more = [each for each in (*changed.values(), *followed) if each.name != ORDER]
    yield from more or (*changed.values(), *followed)


def _change(old: Mapping[str, str], new: Mapping[str, str], name: str) -> CodeChange:
    before, after = old.get(name), new.get(name)
    return CodeChange(name, before, after, _sentence(name, before, after))


def _sentence(name: str, before: str | None, after: str | None) -> str:
    if name == ORDER:
        return "the project's modules are imported in a different order"
    module, _, within = name.partition(":")
    file = module if module.partition(".")[0] == "penstock" else file_of(module)
    if not within:
        if before is None:
            return f"{file} is imported now but was not before"
        return f"{file} is no longer imported" if after is None else f"{file} changed"
    if within == ON_IMPORT:
        if before is None:
            return f"{file} runs code when it is imported, but did not before"
        if after is None:
            return f"{file} no longer runs code when it is imported"
        return f"{file}: code that runs when it is imported changed"
    if after is not None and after.startswith(UNKNOWN):
        return (
            f"{file}: the value of {within} cannot be kept in a cache key, so it counts as changed"
        )
    if before is None:
        return f"{file}: {within} is used now but was not before"
    return f"{file}: {within} {'is no longer used' if after is None else 'changed'}"


def file_of(module: str) -> str:
    """Return the file of a module of the project, as a key names it.

    Example:
        >>> file_of("modules.penguin"), file_of("modules.__init__")
        ('modules/penguin.py', 'modules/__init__.py')
    """
    return module if module == MAIN else f"{module.replace('.', '/')}.py"
