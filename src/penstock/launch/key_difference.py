"""What differs between two cache keys, in sentences."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Literal

from penstock.launch.cache_key import KeyParts
from penstock.launch.code_difference import code_changes
from penstock.launch.value_change import ABSENT, change

Section = Literal[
    "component", "code", "libraries", "parameters", "inputs", "external", "seed", "deterministic"
]


@dataclasses.dataclass(frozen=True, slots=True)
class Difference:
    """One thing that two cache keys disagree on.

    Attributes:
        section: Part of the key.
        name: What in it: a module or a name in one, a library, a parameter (dotted where it is nested),
            an input key, an external file; empty for the seed and the like.
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
        *(
            Difference("code", *each)
            for each in code_changes(_section(old, "code"), _section(new, "code"))
        ),
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
    """Yield (name, old, new) of what differs; `ABSENT` stands where a side lacks the name."""
    for name in dict.fromkeys([*old, *new]):
        before, after = old.get(name, ABSENT), new.get(name, ABSENT)
        if before != after:
            yield name, before, after


def _difference(section: Section, name: str, old: Any, new: Any, sentence: str) -> Difference:
    def given(value: Any) -> Any:
        return None if value is ABSENT else value

    return Difference(section, name, given(old), given(new), sentence)


def _single(old: KeyParts, new: KeyParts, name: Section, words: str) -> Iterator[Difference]:
    for _, before, after in _pairs(
        {name: old[name]} if name in old else {}, {name: new[name]} if name in new else {}
    ):
        yield _difference(name, "", before, after, f"{words} {change(before, after)}")


def _libraries(old: Mapping[str, Any], new: Mapping[str, Any]) -> Iterator[Difference]:
    for name, before, after in _pairs(old, new):
        yield _difference(
            "libraries",
            name,
            before,
            after,
            f"library {name} {change(before, after, quote=False)}",
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
                "parameters", name, before, after, f"parameter {name} {change(before, after)}"
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
        if before is ABSENT:
            sentence = f"data file {name} is new"
        elif after is ABSENT:
            sentence = f"data file {name} is gone"
        else:
            sentence = f"content of data file {name} changed"
        yield _difference("external", name, before, after, sentence)


def _inputs(old: Mapping[str, Any], new: Mapping[str, Any]) -> Iterator[Difference]:
    for name, before, after in _pairs(old, new):
        if before is ABSENT:
            sentence = f"input {name} has an artifact now but had none before"
        elif after is ABSENT:
            sentence = f"input {name} has no artifact now but had one before"
        elif len(before) != len(after):
            sentence = f"input {name} changed: {len(before)} -> {len(after)} artifacts"
        else:
            sentence = f"input {name} changed"
        yield _difference("inputs", name, before, after, sentence)
