"""What the registry refuses, as errors of the command line."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

from penstock.cli.errors import NotFound, UsageError


@contextlib.contextmanager
def registry_errors(verb: str) -> Iterator[None]:
    """Turn what the registry raises into one line.

    Raises:
        NotFound: For a model, version or alias that does not exist.
        UsageError: For a name that is no alias, a damaged file.
    """
    from penstock.pushing.aliases import UnknownVersion
    from penstock.registry.destinations import ModelNotFound

    try:
        yield
    except (ModelNotFound, UnknownVersion) as error:
        raise NotFound(f"penstock {verb}: {error}") from error
    except ValueError as error:
        raise UsageError(f"penstock {verb}: {error}") from error
