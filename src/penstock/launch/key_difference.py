"""What differs between two cache keys, in sentences."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, Literal

from penstock.launch.cache_key import KeyParts

_ABSENT: Any = object()
_LONGEST = 60
_MOST_MODULES = 3

Section = Literal[
    "component", "code", "libraries", "parameters", "inputs", "external", "seed", "deterministic"
]


@dataclasses.dataclass(frozen=True, slots=True)
class Difference:
    """One thing that two cache keys disagree on.

    Attributes:
        section: Part of the key.
        name: What in it: a module, a library, a parameter (dotted where it is nested), an input key,
            an external file; empty for the seed and the like.
        old: Value in the earlier key; None where it was absent.
        new: Value in the later key; None where it is absent.
        sentence: The difference in words.
    """

    section: Section
    name: str
    old: Any
    new: Any
    sentence: str

    def to_json(self) -> dict[str, Any]:
        """Return the JSON form."""
        return dataclasses.asdict(self)


def key_differences(old: KeyParts, new: KeyParts) -> list[Difference]:
    """Return what differs between two readable cache keys of one node, what matters most first.

    Args:
        old: Parts of the earlier key (`CacheKeys.parts`).
        new: Parts of the later key.

    Example:
        >>> [d.sentence for d in key_differences({"parameters": {"epochs": 5}},
        ...                                      {"parameters": {"epochs": 20}})]
        ['parameter epochs changed: 5 -> 20']
    """
    return [
        *_single(old, new, "component", "the component"),
        *_code(_section(old, "code"), _section(new, "code")),
        *_parameters(_section(old, "parameters"), _section(new, "parameters")),
        *_external(_section(old, "external"), _section(new, "external")),
        *_inputs(_section(old, "inputs"), _section(new, "inputs")),
        *_libraries(_section(old, "libraries"), _section(new, "libraries")),
        *_single(old, new, "seed", "the seed"),
        *_single(old, new, "deterministic", "the determinism switch"),
    ]


def nearest_key(
    parts: KeyParts, candidates: Sequence[KeyParts]
) -> tuple[int, list[Difference]] | None:
    """Return the place of the candidate that differs least, and how; the first of equals; or None."""
    best: tuple[int, list[Difference]] | None = None
    for place, candidate in enumerate(candidates):
        found = key_differences(candidate, parts)
        if best is None or len(found) < len(best[1]):
            best = place, found
    return best


def _section(parts: KeyParts, name: str) -> Mapping[str, Any]:
    value = parts.get(name)
    return value if isinstance(value, Mapping) else {}


def _pairs(old: Mapping[str, Any], new: Mapping[str, Any]) -> Iterator[tuple[str, Any, Any]]:
    """Yield (name, old, new) of what differs; `_ABSENT` stands where a side lacks the name."""
    for name in dict.fromkeys([*old, *new]):
        before, after = old.get(name, _ABSENT), new.get(name, _ABSENT)
        if before != after:
            yield name, before, after


def _difference(section: Section, name: str, old: Any, new: Any, sentence: str) -> Difference:
    def given(value: Any) -> Any:
        return None if value is _ABSENT else value

    return Difference(section, name, given(old), given(new), sentence)


def _single(old: KeyParts, new: KeyParts, name: Section, words: str) -> Iterator[Difference]:
    for _, before, after in _pairs(
        {name: old[name]} if name in old else {}, {name: new[name]} if name in new else {}
    ):
        yield _difference(name, "", before, after, f"{words} {_change(before, after)}")


def _code(old: Mapping[str, Any], new: Mapping[str, Any]) -> Iterator[Difference]:
    """Yield the project's modules first, then Penstock's: many of them, as after an upgrade, as one."""
    changes = list(_pairs(old, new))
    library = [each for each in changes if each[0].partition(".")[0] == "penstock"]
    yield from _modules(each for each in changes if each not in library)
    if len(library) <= _MOST_MODULES:
        yield from _modules(library)
        return
    sentence = f"Penstock's own code changed: {len(library)} modules, such as {library[0][0]}"
    before = {name: digest for name, digest, _ in library if digest is not _ABSENT}
    after = {name: digest for name, _, digest in library if digest is not _ABSENT}
    yield _difference("code", "penstock", before, after, sentence)


def _modules(changes: Iterable[tuple[str, Any, Any]]) -> Iterator[Difference]:
    for name, before, after in changes:
        if before is _ABSENT:
            sentence = f"module {name} is imported now and was not before"
        elif after is _ABSENT:
            sentence = f"module {name} is no longer imported"
        else:
            sentence = f"code of {name} changed"
        yield _difference("code", name, before, after, sentence)


def _libraries(old: Mapping[str, Any], new: Mapping[str, Any]) -> Iterator[Difference]:
    for name, before, after in _pairs(old, new):
        yield _difference(
            "libraries",
            name,
            before,
            after,
            f"library {name} {_change(before, after, quote=False)}",
        )


def _parameters(
    old: Mapping[str, Any], new: Mapping[str, Any], prefix: str = ""
) -> Iterator[Difference]:
    for key, before, after in _pairs(old, new):
        name = f"{prefix}{key}"
        first, second = _fields(before), _fields(after)
        if first is not None and second is not None:
            yield from _parameters(first, second, f"{name}.")
        else:
            yield _difference(
                "parameters", name, before, after, f"parameter {name} {_change(before, after)}"
            )


def _fields(value: Any) -> Mapping[str, Any] | None:
    """Return the named fields of an encoded mapping, dataclass or message; None for other values."""
    if not isinstance(value, Mapping):
        return None
    if "$message" in value or "$dataclass" in value:
        fields = value.get("fields")
        return fields if isinstance(fields, Mapping) else None
    if any(key.startswith("$") for key in value):
        return None
    return value


def _external(old: Mapping[str, Any], new: Mapping[str, Any]) -> Iterator[Difference]:
    for name, before, after in _pairs(old, new):
        if before is _ABSENT:
            sentence = f"data file {name} is new"
        elif after is _ABSENT:
            sentence = f"data file {name} is no longer there"
        else:
            sentence = f"content of data file {name} changed"
        yield _difference("external", name, before, after, sentence)


def _inputs(old: Mapping[str, Any], new: Mapping[str, Any]) -> Iterator[Difference]:
    for name, before, after in _pairs(old, new):
        if before is _ABSENT:
            sentence = f"input {name} has an artifact now and had none before"
        elif after is _ABSENT:
            sentence = f"input {name} has no artifact now and had one before"
        elif len(before) != len(after):
            sentence = f"input {name} changed: {len(before)} -> {len(after)} artifacts"
        else:
            sentence = f"input {name} changed"
        yield _difference("inputs", name, before, after, sentence)


def _change(old: Any, new: Any, *, quote: bool = True) -> str:
    show = _shown if quote else str
    if old is _ABSENT:
        return f"is new: {show(new)}"
    if new is _ABSENT:
        return f"is gone; it was {show(old)}"
    return f"changed: {show(old)} -> {show(new)}"


def _shown(value: Any) -> str:
    """Return a value as short JSON; what is encoded as it is written in Python."""
    if value is None:
        return "none"
    if isinstance(value, Mapping):
        for key in ("$name", "$object", "$enum", "$float"):
            if key in value:
                return str(value.get("name") or value[key])
        for key in ("$dataclass", "$message"):
            if key in value:
                kind = str(value[key]).rpartition(":")[2]
                return _cut(f"{kind}({json.dumps(value.get('fields', {}), ensure_ascii=False)})")
    return _cut(json.dumps(value, default=str, ensure_ascii=False))


def _cut(text: str) -> str:
    return text if len(text) <= _LONGEST else f"{text[:_LONGEST]}..."
