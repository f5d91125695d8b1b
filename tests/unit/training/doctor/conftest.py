"""Models and data so small that an examination takes milliseconds."""

import numpy as np
import pytest

ROWS = 600


@pytest.fixture(autouse=True)
def seed():
    import keras

    keras.utils.set_random_seed(4)


class Data:
    """Features with mean 0 and deviation 1, and labels of each kind that belong to them."""

    def __init__(self, rows=ROWS, seed=0):
        generator = np.random.default_rng(seed)
        self.x = generator.normal(size=(rows, 4)).astype("float32")
        self.binary = (self.x[:, :1] > 0).astype("float32")
        self.index = np.digitize(self.x[:, 0], [-0.5, 0.5])
        self.one_hot = np.eye(3, dtype="float32")[self.index]
        self.number = self.x.sum(axis=1, keepdims=True)


@pytest.fixture(scope="session")
def train():
    return Data()


@pytest.fixture(scope="session")
def other():
    return Data(200, seed=1)


@pytest.fixture(scope="session")
def model():
    """Return a function that makes a compiled model of one hidden layer, `hidden`, and a `head`."""
    import keras

    def make(
        units=1, activation="sigmoid", loss="binary_crossentropy", hidden="relu", optimizer="adam"
    ):
        made = keras.Sequential(
            [
                keras.Input((4,), name="x"),
                keras.layers.Dense(8, hidden, name="hidden"),
                keras.layers.Dense(units, activation, name="head"),
            ]
        )
        made.compile(optimizer, loss, jit_compile=False)
        return made

    return make
