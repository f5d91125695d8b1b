from __future__ import annotations

import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))

from engine import REPOSITORY, Engine, NoEngine, find_engine

IMAGE = "penstock:latest"


@pytest.fixture(scope="session")
def engine() -> Engine:
    try:
        return find_engine()
    except NoEngine as reason:
        pytest.skip(f"no container engine: {reason}")


@pytest.fixture(scope="session")
def image(engine: Engine) -> str:
    """The image, built from the Dockerfile as it stands."""
    engine.build(IMAGE, REPOSITORY)
    return IMAGE
