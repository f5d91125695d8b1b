"""What the tests of compiling for Kubeflow share."""

from __future__ import annotations

import inspect

import pytest


@pytest.fixture(autouse=True)
def forgotten_files() -> None:
    """kfp calls inspect.stack(), which fails where a name stood for a package and is a bare folder now.

    Tests of other rooms import `modules` and `components` of projects of their own.
    """
    inspect._filesbymodname.clear()
