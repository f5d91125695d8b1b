"""Running a component or a pipeline in a test, and the contract suites."""

from penstock.testing.components import ComponentFailed, run_component
from penstock.testing.contract import check_component

__all__ = ["ComponentFailed", "check_component", "run_component"]
