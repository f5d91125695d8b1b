"""Models that misbehave: pickled estimators, whose server needs no TensorFlow."""

import pickle
import sys
import textwrap

import pyarrow as pa
import pytest

from penstock.artifacts import Examples, Model
from penstock.io import ExamplesWriter

BEHAVIOURS = textwrap.dedent(
    """
    import ctypes, os, time
    import numpy as np

    class Estimator:
        def __init__(self, behaviour):
            self.behaviour = behaviour

        def __setstate__(self, state):
            self.__dict__.update(state)
            if self.behaviour == "crash while loading":
                os.abort()

        def predict(self, table):
            x = np.asarray(table, dtype=float)[:, 0]
            if x.max() >= 3:
                if self.behaviour == "segfault":
                    ctypes.string_at(0)
                if self.behaviour == "hang":
                    time.sleep(600)
                if self.behaviour == "eat memory":
                    self.eaten = [np.ones(1 << 24) for _ in range(100) if not time.sleep(0.02)]
                if self.behaviour == "nan":
                    return np.where(x >= 3, np.nan, x)
                if self.behaviour == "fail":
                    raise ZeroDivisionError("no x")
            if self.behaviour == "other rows":
                return x[:1]
            return 2 * x
    """
)


@pytest.fixture(scope="session")
def make_model(tmp_path_factory):
    """Write a model with a behaviour; its class lies where the server's process finds it."""
    code = tmp_path_factory.mktemp("code")
    (code / "misbehaving_estimators.py").write_text(BEHAVIOURS)
    sys.path.append(str(code))
    from misbehaving_estimators import Estimator

    def make(behaviour: str) -> Model:
        root = tmp_path_factory.mktemp("model")
        (root / "Format-Serving").mkdir()
        content = {"model": Estimator(behaviour), "feature_keys": ["x"], "label_key": None}
        (root / "Format-Serving" / "model.pkl").write_bytes(pickle.dumps(content))
        return Model(str(root))

    yield make
    sys.path.remove(str(code))


@pytest.fixture(scope="session")
def examples(tmp_path_factory) -> Examples:
    root = tmp_path_factory.mktemp("examples")
    found = Examples(str(root))
    found.splits = ["train", "eval"]
    with ExamplesWriter(str(root), found.splits) as writer:
        for split, rows in (("train", 5), ("eval", 2)):
            values = pa.array(map(float, range(rows)), pa.float32())
            writer.write(split, pa.record_batch({"x": values}))
    return found
