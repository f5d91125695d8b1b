"""What can be wrong with a definition.

DefinitionError (ValueError)      a pipeline file says something that cannot be
|-- WiringError                   a component was given an input that does not fit it
|-- ParameterError                a component was given a parameter that does not fit it
`-- PipelineError                 the components do not make a pipeline
"""

from __future__ import annotations


class DefinitionError(ValueError):
    """A pipeline file says something that cannot be."""


class WiringError(DefinitionError):
    """A component was given an input that does not fit it."""


class ParameterError(DefinitionError):
    """A component was given a parameter that does not fit it."""


class PipelineError(DefinitionError):
    """The components do not make a pipeline."""
