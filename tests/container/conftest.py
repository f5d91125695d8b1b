from __future__ import annotations

import shutil
import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))

from engine import REPOSITORY, Engine, NoEngine, find_engine

IMAGE, SLIM = "penstock:latest", "penstock:slim"


@pytest.fixture(scope="session")
def engine() -> Engine:
    try:
        return find_engine()
    except NoEngine as reason:
        pytest.skip(f"no container engine: {reason}")


@pytest.fixture(scope="session")
def source(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of what the Dockerfile copies: a build takes minutes, in which files may change."""
    folder = tmp_path_factory.mktemp("source")
    for name in ("Dockerfile", ".dockerignore", "pyproject.toml", "README.md"):
        shutil.copy2(REPOSITORY / name, folder)
    for name in ("src", "pipelines", "modules", "data"):
        ignored = shutil.ignore_patterns("__pycache__", "*.egg-info")
        shutil.copytree(REPOSITORY / name, folder / name, ignore=ignored)
    return folder


@pytest.fixture(scope="session")
def image(engine: Engine, source: Path) -> str:
    """The image, built from the Dockerfile as it stands."""
    engine.build(IMAGE, source)
    return IMAGE


@pytest.fixture(scope="session")
def slim(engine: Engine, source: Path) -> str:
    """The variant without TensorFlow."""
    engine.build(SLIM, source, VARIANT="slim")
    return SLIM
