"""What the registry refuses, as errors of the command line."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

from penstock.cli.errors import NotFound, UsageError


@contextlib.contextmanager
def registry_errors(verb: str) -> Iterator[None]:
    """Turn what the registry raises into one line.

    Raises:
        NotFound: For an unknown model.
        UsageError: For a version or alias that does not exist, a name that is no alias, a damaged file.
    """
    from penstock.registry.destinations import ModelNotFound

    try:
        yield
    except ModelNotFound as error:
        raise NotFound(f"penstock {verb}: {error}") from error
    except ValueError as error:
        raise UsageError(f"penstock {verb}: {error}") from error


def version_number(text: str) -> int:
    """Return a version given as digits.

    Raises:
        argparse.ArgumentTypeError: If it is something else.
    """
    import argparse

    if not text.isascii() or not text.isdecimal():
        raise argparse.ArgumentTypeError(f"takes a version, such as 7. Received: {text!r}")
    return int(text)
