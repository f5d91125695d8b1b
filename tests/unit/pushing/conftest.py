"""A SavedModel that can be pushed."""

from pathlib import Path

import pytest

GOLDEN = Path(__file__).resolve().parents[2] / "golden"


@pytest.fixture(scope="session")
def model() -> str:
    """A small SavedModel with the signature `serving_default`."""
    return str(GOLDEN / "saved_model")


@pytest.fixture
def memory(request):
    """The URL of an empty folder in fsspec's memory, an object store in this process."""
    import fsspec

    url = f"memory://{request.node.name.replace('[', '-').replace(']', '')}"
    yield url
    system, path = fsspec.core.url_to_fs(url)
    if system.exists(path):
        system.rm(path, recursive=True)
