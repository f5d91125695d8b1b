"""Loading a version: hold it, check it, bound its memory, load it, warm it."""

from __future__ import annotations

import contextlib
import functools
import gc
import logging
import os
import shutil
import tempfile
import time
from concurrent.futures import Executor

from penstock.artifacts.location import is_local, list_files, local_path
from penstock.io.files.filesystem import join, open_binary
from penstock.pushing import hold_version, verify_manifest
from penstock.server.config import Batching, ModelSource
from penstock.server.servables.memory import (
    check_memory,
    estimate_memory,
    megabytes,
    resident_memory,
)
from penstock.server.servables.saved_model import SavedModel
from penstock.server.servables.servable import LoadedModel, Servable
from penstock.server.servables.warm_up import warm_up
from penstock.serving.forms import SAVED_MODEL, form_of
from penstock.serving.model import import_tensorflow
from penstock.serving.saved_model import ModelError

LOG = logging.getLogger("penstock.server")

_WARM_ROWS = 32


class Loader:
    """Loads versions of models; called in threads.

    Args:
        executor: The threads that will compute.
        batching: How requests will be computed together.
    """

    def __init__(self, executor: Executor, batching: Batching) -> None:
        self._executor = executor
        self._batching = batching
        self._unverified: set[str] = set()

    def load(self, source: ModelSource, version: int, folder: str) -> Servable:
        """Return a version that is checked, loaded and warmed.

        Args:
            source: The model.
            version: The version.
            folder: Its folder; a path or an fsspec URL, whose files are copied to this machine.

        Raises:
            ModelError: If it is damaged, or cannot be loaded.
            MemoryError: If it does not fit.
            OSError: If it cannot be read.
        """
        _settle()
        started, before = time.monotonic(), resident_memory()
        with contextlib.ExitStack() as held:
            held.enter_context(hold_version(source.folder, version))
            self._verify(source, folder)
            check_memory(estimate_memory(folder), source.max_memory)
            path = local_path(folder) if is_local(folder) else held.enter_context(_fetched(folder))
            model = load_form(path, self._batching.op_threads)
            held.callback(model.close)
            count = warm_up(path, model, min(_WARM_ROWS, self._batching.max_rows))
            model.settle()
            servable = Servable(
                source.name, version, path, model, self._executor, self._batching, held.pop_all()
            )
        LOG.info(
            "%s: version %d is loaded and warmed by %d requests: %.1f s, %s more memory in use",
            source.name,
            version,
            count,
            time.monotonic() - started,
            megabytes(max(0, resident_memory() - before)),
        )
        return servable

    def _verify(self, source: ModelSource, folder: str) -> None:
        if verify_manifest(folder) is None and source.name not in self._unverified:
            self._unverified.add(source.name)
            LOG.warning(
                "%s: %s has no manifest, so its files are served without a check of their checksums",
                source.name,
                folder,
            )


@functools.cache
def _settle() -> None:
    """Import TensorFlow, and keep its objects out of garbage collections, which then take no 0.1 s."""
    import_tensorflow()
    gc.collect()
    gc.freeze()


def load_form(path: str, op_threads: int | None = None) -> LoadedModel:
    """Load a model in the form that is in a folder.

    Args:
        path: The folder.
        op_threads: In how many threads one operation of a SavedModel is computed; None for as many as
            TensorFlow likes.

    Raises:
        ModelError: If it is damaged, or of a form that the server does not serve.
    """
    form, _ = form_of(path)
    if form == SAVED_MODEL:
        return SavedModel(path, op_threads)
    if form == "scikit-learn estimator":
        from penstock.server.servables.estimator import EstimatorModel

        return EstimatorModel(path)
    raise ModelError(
        f"The model at {path} is a {form}, which the server does not serve. Push a SavedModel: "
        "penstock.training.export_model writes one from Keras on any backend."
    )


@contextlib.contextmanager
def _fetched(folder: str):  # type: ignore[no-untyped-def]
    """Copy a version from an object store into a folder that lives as long as the block."""
    copy = tempfile.mkdtemp(prefix="penstock-serve-")
    try:
        for name, _ in list_files(folder):
            path = os.path.join(copy, name)
            os.makedirs(os.path.dirname(path), exist_ok=True)
            with open_binary(join(folder, name)) as source, open(path, "wb") as target:
                shutil.copyfileobj(source, target, 1 << 20)
        yield copy
    finally:
        shutil.rmtree(copy, ignore_errors=True)
