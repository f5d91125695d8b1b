"""What can be wrong with a definition.

DefinitionError (ValueError)      a pipeline file says something that cannot be
|-- WiringError                   a component was given an input that does not fit it
|-- ParameterError                a component was given a parameter that does not fit it
`-- PipelineError                 the components do not make a pipeline
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable


class DefinitionError(ValueError):
    """A pipeline file says something that cannot be."""


class WiringError(DefinitionError):
    """A component was given an input that does not fit it."""


class ParameterError(DefinitionError):
    """A component was given a parameter that does not fit it."""


class PipelineError(DefinitionError):
    """The components do not make a pipeline."""


def did_you_mean(name: str, known: Iterable[str]) -> str:
    """Return ` Did you mean 'x'?` with the nearest of the known names, or what there is.

    Example:
        >>> did_you_mean("exampels", ["examples", "schema"])
        " Did you mean 'examples'?"
    """
    names = sorted(known)
    near = difflib.get_close_matches(name, names, n=1, cutoff=0.6)
    if near:
        return f" Did you mean {near[0]!r}?"
    if not names:
        return " There are none."
    return f" There is {', '.join(repr(each) for each in names)}."
