"""Resolving the file patterns of an ExampleGen's input to files, a span and a version.

Semantics are TFX's: `{SPAN}` or the date `{YYYY}`, `{MM}`, `{DD}` (the span is then the days since
1970-01-01), `{VERSION}` beside either; a width (`{SPAN:3}`) means exactly that many digits; the
latest span and its latest version are taken unless a range says otherwise; all splits must agree.
The span of a static range is filled in, so a span that is padded with zeros needs a width.
"""

import glob
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, timedelta

from penstock.io.files.filesystem import canonical, join, list_matching, literal_brackets
from penstock.io.files.missing_path import explain_missing
from penstock.io.ingestion.config import Input, RangeConfig, Split

_TOKEN = re.compile(r"\{(SPAN|VERSION)(?::([^}]*))?\}|\{(YYYY|MM|DD)\}")
_EPOCH = date(1970, 1, 1)
_DATE_WIDTHS = {"YYYY": 4, "MM": 2, "DD": 2}
_LISTED = 10
# What means more within brackets of a regular expression than within those of a glob.
_IN_BRACKETS = re.compile(r"[\[\\^&~|]")
_ESCAPED = r"\\\g<0>"


@dataclass(frozen=True)
class ResolvedInput:
    """The files of each input split, and the span and version that they belong to.

    Args:
        files: The files of each split by its name, sorted.
        span: The chosen span; None without a span or date in the patterns.
        version: The chosen version; None without a version in the patterns.
    """

    files: Mapping[str, list[str]]
    span: int | None = None
    version: int | None = None


@dataclass(frozen=True)
class _Match:
    file: str
    span: int | None
    version: int | None
    written: Mapping[str, str]


def resolve_input(
    base: str, config: Input | None = None, range_config: RangeConfig | None = None
) -> ResolvedInput:
    """Find the files of every input split.

    Args:
        base: The folder that the patterns are relative to; a local path or an fsspec URL.
        config: The splits and their patterns; by default every file of `base` in one split.
        range_config: The span to take: a static range of one span or a rolling range of one.

    Raises:
        FileNotFoundError: If a pattern matches nothing; the message lists what is there.
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
    if range_config is not None:
        _check_range(range_config, config.splits)
    chosen = {split.name: _choose(base, split, range_config) for split in config.splits}
    places = {name: (matches[0].span, matches[0].version) for name, matches in chosen.items()}
    if len(set(places.values())) > 1:
        listed = "\n".join(
            f"  {split.name}: looked for {join(base, split.pattern)}, took "
            f"{_named(*places[split.name])}; there: {_listed(_find(base, split.pattern))}"
            for split in config.splits
        )
        raise ValueError(
            f"The splits of {base} disagree on the span or version:\n{listed}\nAdd what is missing, "
            f"or choose a span that all splits have by range_config."
        )
    span, version = next(iter(places.values()))
    files = {name: [match.file for match in matches] for name, matches in chosen.items()}
    return ResolvedInput(files, span, version)


def _check_range(range_config: RangeConfig, splits: list[Split]) -> None:
    static, rolling = range_config.static_range, range_config.rolling_range
    if static is not None and static.start_span_number != static.end_span_number:
        raise ValueError(
            f"An ExampleGen takes one span: start_span_number and end_span_number of its "
            f"static_range must be equal. Received: {static}"
        )
    if rolling is not None and rolling.num_spans != 1:
        raise ValueError(
            f"An ExampleGen takes one span: num_spans of its rolling_range must be 1. "
            f"Received: {rolling}"
        )
    for split in splits:
        if not _TOKEN.search(split.pattern):
            raise ValueError(
                f"Split {split.name!r}: a range_config needs {{SPAN}} or a date in the pattern. "
                f"Received: pattern={split.pattern!r}"
            )


def _named(span: int | None, version: int | None) -> str:
    return f"span {span}" if version is None else f"span {span}, version {version}"


def _listed(matches: list[_Match]) -> str:
    places = sorted({(m.span or 0, -1 if m.version is None else m.version) for m in matches})
    shown = [_named(span, None if v < 0 else v) for span, v in places[-_LISTED:]]
    return "; ".join(shown if len(places) <= _LISTED else ["...", *shown])


def _check_pattern(pattern: str) -> frozenset[str]:
    """Check a pattern's placeholders and return their names."""
    names = [match[1] or match[3] for match in _TOKEN.finditer(pattern)]
    leftover = re.search(r"\{[^}]*\}", _TOKEN.sub("", pattern))
    dates = [name for name in names if name in _DATE_WIDTHS]
    fault = None
    if leftover:
        fault = f"{leftover[0]} is not a placeholder; use SPAN, VERSION, YYYY, MM or DD"
    elif len(set(names)) != len(names):
        fault = "a placeholder is repeated"
    elif "SPAN" in names and dates:
        fault = "it has both {SPAN} and a date"
    elif dates and len(dates) != 3:
        fault = "a date needs all of {YYYY}, {MM} and {DD}"
    elif "VERSION" in names and "SPAN" not in names and not dates:
        fault = "{VERSION} needs {SPAN} or a date beside it"
    for match in _TOKEN.finditer(pattern):
        if match[2] is not None and not re.fullmatch(r"0*[1-9]\d*", match[2], re.ASCII):
            fault = f"the width in {match[0]} must be a positive integer"
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
            inner = group[0][1:-1]
            beyond = "^" if inner.startswith("!") else ""
            token = group[0]
            regex = f"[{beyond}{_IN_BRACKETS.sub(_ESCAPED, inner.removeprefix('!'))}]"
        else:
            token, regex = rest[0], re.escape(rest[0])
        out += regex
        position += len(token)
    return out


def _compiled(pattern: str) -> tuple[re.Pattern[str], str]:
    """Return the pattern as a regular expression with named groups and as a plain glob."""
    regex, wildcards, position = "", "", 0
    for match in _TOKEN.finditer(pattern):
        literal = pattern[position : match.start()]
        name = match[1] or match[3]
        width = _DATE_WIDTHS.get(name, int(match[2] or 0))
        digits = f"[0-9]{{{width}}}" if width else "[0-9]+"
        regex += f"{_glob_to_regex(literal)}(?P<{name}>{digits})"
        wildcards += literal + (width * "?" or "*")
        position = match.end()
    tail = pattern[position:]
    return re.compile(regex + _glob_to_regex(tail) + r"\Z"), wildcards + tail


def _find(base: str, pattern: str, span: int | None = None) -> list[_Match]:
    """Find all files of a pattern, of every span and version.

    Args:
        base: The folder.
        pattern: The pattern.
        span: The span, if it has been filled into the pattern.
    """
    regex, wildcards = _compiled(literal_brackets(pattern, base))
    prefix = join(canonical(base), "")
    matches = []
    for file in list_matching(join(glob.escape(base), wildcards)):
        match = regex.match(file[len(prefix) :])
        if match:
            found = span if span is not None else _span_of(match, file)
            matches.append(_Match(file, found, _number(match, "VERSION"), match.groupdict()))
    return matches


def _choose(base: str, split: Split, range_config: RangeConfig | None) -> list[_Match]:
    """Find the files of the requested span, and of its latest version."""
    static = range_config.static_range if range_config else None
    if static is not None:
        span = static.start_span_number
        pattern = _filled(split, span)
        matches = _find(base, pattern, span)
    else:
        pattern = split.pattern
        matches = _find(base, pattern)
    looked_for = f"Split {split.name!r}: looked for {join(base, pattern)}"
    if not matches:
        others = _find(base, split.pattern) if static is not None else []
        there = f"There: {_listed(others)}." if others else explain_missing(base, split.pattern)
        widths = [match[2] for match in _TOKEN.finditer(split.pattern)]
        hint = _EXACT if any(widths) else _PADDED if others else ""
        raise FileNotFoundError(f"{looked_for}, found nothing. {there}{hint}")
    rolling = range_config.rolling_range if range_config else None
    if rolling is not None and matches[0].span is not None:
        late = [m for m in matches if (m.span or 0) >= rolling.start_span_number]
        if not late:
            raise FileNotFoundError(
                f"{looked_for} with span {rolling.start_span_number} or later, found nothing. "
                f"There: {_listed(matches)}."
            )
        matches = late
    latest = max((m.span or 0, m.version or 0) for m in matches)
    matches = [m for m in matches if (m.span or 0, m.version or 0) == latest]
    _check_written_alike(matches, looked_for)
    return matches


_PADDED = " A span that is padded with zeros needs its width, such as {SPAN:3}."
_EXACT = " A width, as in {SPAN:3}, means exactly that many digits."


def _check_written_alike(matches: list[_Match], looked_for: str) -> None:
    for name, written in matches[0].written.items():
        other = next((m.written[name] for m in matches if m.written[name] != written), None)
        if other is not None:
            raise ValueError(
                f"{looked_for}: one {name} is written both {written!r} and {other!r}. Rename "
                f"one, or choose one by a width, such as {{{name}:{len(written)}}}."
            )


def _filled(split: Split, span: int) -> str:
    """Return a split's pattern with a span filled in."""

    def written(match: re.Match[str]) -> str:
        name, width = match[1] or match[3], match[2]
        if name == "VERSION":
            return match[0]
        if name != "SPAN":
            day = _EPOCH + timedelta(days=span)
            return {"YYYY": f"{day.year:04}", "MM": f"{day.month:02}", "DD": f"{day.day:02}"}[name]
        if width and len(str(span)) > int(width):
            raise ValueError(
                f"Split {split.name!r}: span {span} has more digits than {match[0]} in its pattern "
                f"{split.pattern!r} allows."
            )
        return str(span).zfill(int(width or 0))

    try:
        return _TOKEN.sub(written, split.pattern)
    except OverflowError as error:
        raise ValueError(
            f"Split {split.name!r}: span {span} is not a calendar day, which its pattern "
            f"{split.pattern!r} needs."
        ) from error


def _number(match: re.Match[str], name: str) -> int | None:
    return int(match[name]) if name in match.re.groupindex else None


def _span_of(match: re.Match[str], file: str) -> int | None:
    if "YYYY" not in match.re.groupindex:
        return _number(match, "SPAN")
    year, month, day = (int(match[name]) for name in ("YYYY", "MM", "DD"))
    try:
        return (date(year, month, day) - _EPOCH).days
    except ValueError as error:
        raise ValueError(
            f"{file}: {year:04}-{month:02}-{day:02} is not a date: {error}."
        ) from error
