"""Running a component or a pipeline in a test, and the contract suites."""

from penstock.testing.components import ComponentFailed, run_component

__all__ = ["ComponentFailed", "run_component"]
