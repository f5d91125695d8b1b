from __future__ import annotations

import importlib
import sys
from pathlib import Path
from types import ModuleType

import pytest

PROJECT = Path(__file__).resolve().parents[1] / "runners" / "local" / "project"


@pytest.fixture(scope="session")
def sample_project() -> str:
    """Root of the project whose components are executed."""
    return str(PROJECT)


@pytest.fixture(scope="session")
def nodes(sample_project) -> ModuleType:
    """Components that end in every way."""
    if sample_project not in sys.path:
        sys.path.insert(0, sample_project)
    return importlib.import_module("sample_nodes")
