"""Resolving the file patterns of an ExampleGen's input to files, a span and a version.

Semantics are TFX's: `{SPAN}` or the date `{YYYY}`, `{MM}`, `{DD}` (the span is then the days since
1970-01-01), `{VERSION}` beside either; a width (`{SPAN:3}`) means zero padding; the latest span and
its latest version win unless a range says otherwise; all splits must agree.
"""

import glob
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date

from penstock.io.example_gen_config import Input, RangeConfig, Split
from penstock.io.files import canonical, join, list_directory, list_matching

_TOKEN = re.compile(r"\{(SPAN|VERSION)(?::(\d+))?\}|\{(YYYY|MM|DD)\}")
_DATE_WIDTHS = {"YYYY": 4, "MM": 2, "DD": 2}
_LISTED = 10


@dataclass(frozen=True)
class ResolvedInput:
    """The files of each input split, and the span and version that they belong to.

    Args:
        files: For each split's name its files, sorted.
        span: The span that was chosen; None without a span or date in the patterns.
        version: The version that was chosen; None without a version in the patterns.
    """

    files: Mapping[str, list[str]]
    span: int | None = None
    version: int | None = None


@dataclass(frozen=True)
class _Match:
    file: str
    span: int | None
    version: int | None


def resolve_input(
    base: str, config: Input | None = None, range_config: RangeConfig | None = None
) -> ResolvedInput:
    """Finds the files of every input split.

    Args:
        base: The folder that the patterns are relative to; a local path or an fsspec URL.
        config: The splits and their patterns; by default every file of `base` in one split.
        range_config: Which span to take: a static range of one span or a rolling range of one.

    Raises:
        FileNotFoundError: If a pattern matches nothing; the message says what is there.
        ValueError: If a pattern is faulty, a range covers several spans, or splits disagree.

    Example:
        >>> resolve_input("data", Input(splits=[Split("train", "span-{SPAN}/v{VERSION}/*")])).span
        4
    """
    config = config or Input()
    kinds = {split.name: _check_pattern(split.pattern) for split in config.splits}
    if len(set(kinds.values())) > 1:
        listed = "; ".join(f"{split.name}: {split.pattern}" for split in config.splits)
        raise ValueError(
            f"The patterns of all splits need the same placeholders. Received: {listed}"
        )
    found = {split.name: _find(base, split) for split in config.splits}
    resolved = {
        split.name: _choose(base, split, found[split.name], range_config) for split in config.splits
    }
    chosen = {name: (matches[0].span, matches[0].version) for name, matches in resolved.items()}
    if len(set(chosen.values())) > 1:
        listed = "\n".join(
            f"  {split.name}: looked for {join(base, split.pattern)}, took "
            f"{_named(*chosen[split.name])}; there: {_listed(found[split.name])}"
            for split in config.splits
        )
        raise ValueError(
            f"The splits of {base} disagree on the span or version:\n{listed}\nAdd what is missing, "
            f"or choose a span that all splits have by range_config."
        )
    span, version = next(iter(chosen.values()))
    files = {name: [match.file for match in matches] for name, matches in resolved.items()}
    return ResolvedInput(files, span, version)


def _named(span: int | None, version: int | None) -> str:
    return f"span {span}" if version is None else f"span {span}, version {version}"


def _listed(matches: list[_Match]) -> str:
    places = sorted({(m.span or 0, -1 if m.version is None else m.version) for m in matches})
    shown = [_named(span, None if v < 0 else v) for span, v in places[-_LISTED:]]
    return "; ".join(shown if len(places) <= _LISTED else ["...", *shown])


def _check_pattern(pattern: str) -> frozenset[str]:
    """Checks a pattern's placeholders and returns their names."""
    names = [match[1] or match[3] for match in _TOKEN.finditer(pattern)]
    leftover = re.search(r"\{[^}]*\}", _TOKEN.sub("", pattern))
    dates = [name for name in names if name in _DATE_WIDTHS]
    fault = None
    if leftover:
        fault = f"{leftover[0]} is no placeholder; use SPAN, VERSION, YYYY, MM or DD"
    elif len(set(names)) != len(names):
        fault = "a placeholder comes twice"
    elif "SPAN" in names and dates:
        fault = "it has both {SPAN} and a date"
    elif dates and len(dates) != 3:
        fault = "a date needs all of {YYYY}, {MM} and {DD}"
    elif "VERSION" in names and "SPAN" not in names and not dates:
        fault = "{VERSION} needs {SPAN} or a date beside it"
    if fault:
        raise ValueError(f"Faulty split pattern {pattern!r}: {fault}.")
    return frozenset(names)


def _glob_to_regex(text: str) -> str:
    out = ""
    position = 0
    while position < len(text):
        rest = text[position:]
        group = re.match(r"\[!?[^\]]+\]", rest)
        if rest.startswith("**/"):
            token, regex = "**/", "(?:.*/)?"
        elif rest.startswith("**"):
            token, regex = "**", ".*"
        elif rest[0] == "*":
            token, regex = "*", "[^/]*"
        elif rest[0] == "?":
            token, regex = "?", "[^/]"
        elif group:
            token, regex = group[0], group[0].replace("[!", "[^")
        else:
            token, regex = rest[0], re.escape(rest[0])
        out += regex
        position += len(token)
    return out


def _compiled(pattern: str) -> tuple[re.Pattern[str], str]:
    """Returns the pattern as a regular expression with named groups and as a plain glob."""
    regex, wildcards, position = "", "", 0
    for match in _TOKEN.finditer(pattern):
        literal = pattern[position : match.start()]
        name, width = match[1] or match[3], match[2]
        if name in _DATE_WIDTHS:
            digits = rf"\d{{{_DATE_WIDTHS[name]}}}"
        else:
            digits = rf"\d{{{width}}}" if width else r"(?:0|[1-9]\d*)"
        regex += f"{_glob_to_regex(literal)}(?P<{name}>{digits})"
        wildcards += literal + "*"
        position = match.end()
    tail = pattern[position:]
    return re.compile(regex + _glob_to_regex(tail) + r"\Z"), wildcards + tail


def _find(base: str, split: Split) -> list[_Match]:
    """Finds all files of a split, of every span and version."""
    regex, wildcards = _compiled(split.pattern)
    found = list_matching(join(glob.escape(base), wildcards))
    prefix = join(canonical(base), "")
    matches = []
    for file in found:
        match = regex.match(file[len(prefix) :])
        if match:
            matches.append(_Match(file, _span_of(match, file), _number(match, "VERSION")))
    if not matches:
        padded = " Zero-padded numbers need a width, such as {SPAN:3}." if found else ""
        raise FileNotFoundError(
            f"Split {split.name!r}: looked for {join(base, split.pattern)}, found nothing. "
            f"{_what_is_there(base)}{padded}"
        )
    return matches


def _choose(
    base: str, split: Split, matches: list[_Match], range_config: RangeConfig | None
) -> list[_Match]:
    """Chooses the files of the span that is asked for, and of its latest version."""
    looked_for = f"Split {split.name!r}: looked for {join(base, split.pattern)}"
    if matches[0].span is not None:
        span = _choose_span(
            {m.span for m in matches if m.span is not None}, range_config, looked_for
        )
        matches = [match for match in matches if match.span == span]
    elif range_config is not None:
        raise ValueError(f"{looked_for}: a range_config needs {{SPAN}} or a date in the pattern.")
    if matches[0].version is not None:
        version = max(match.version or 0 for match in matches)
        matches = [match for match in matches if match.version == version]
    return matches


def _number(match: re.Match[str], name: str) -> int | None:
    return int(match[name]) if name in match.re.groupindex else None


def _span_of(match: re.Match[str], file: str) -> int | None:
    if "YYYY" not in match.re.groupindex:
        return _number(match, "SPAN")
    year, month, day = (int(match[name]) for name in ("YYYY", "MM", "DD"))
    try:
        return (date(year, month, day) - date(1970, 1, 1)).days
    except ValueError as error:
        raise ValueError(f"{file}: {year:04}-{month:02}-{day:02} is no date: {error}.") from error


def _choose_span(spans: set[int], range_config: RangeConfig | None, looked_for: str) -> int:
    if range_config is None:
        return max(spans)
    listed = f"Spans there: {sorted(spans)}"
    if range_config.static_range is not None:
        static = range_config.static_range
        if static.start_span_number != static.end_span_number:
            raise ValueError(
                f"An ExampleGen takes one span: start_span_number and end_span_number of its "
                f"static_range must be equal. Received: {static}"
            )
        if static.start_span_number not in spans:
            raise FileNotFoundError(
                f"{looked_for} with span {static.start_span_number}, found nothing. {listed}"
            )
        return static.start_span_number
    rolling = range_config.rolling_range
    assert rolling is not None
    if rolling.num_spans != 1:
        raise ValueError(
            f"An ExampleGen takes one span: num_spans of its rolling_range must be 1. "
            f"Received: {rolling}"
        )
    late = [span for span in spans if span >= rolling.start_span_number]
    if not late:
        raise FileNotFoundError(
            f"{looked_for} with span {rolling.start_span_number} or later, found nothing. {listed}"
        )
    return max(late)


def _what_is_there(base: str) -> str:
    names = list_directory(base)
    if not names:
        return f"{base} does not exist, is empty or is not a folder."
    more = f" and {len(names) - _LISTED} more" if len(names) > _LISTED else ""
    return f"In {base}: {', '.join(names[:_LISTED])}{more}."
