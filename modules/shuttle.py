"""The sensors of a space shuttle, as `pipelines/anomaly.py`, `custom_loop.py` and `optimizers.py` see them.

A row is one moment: nine whole numbers, and the state of the radiator. No sensor has a unit that is known.
"""

from __future__ import annotations

import pyarrow.compute as pc

SENSORS = ("time", *(f"sensor_{number}" for number in range(1, 9)))
STATE = "state"
ANOMALOUS = "anomalous"


def transformed(name: str) -> str:
    return f"{name}_xf"


def scaled(inputs) -> dict:
    """Returns the sensors for Transform, as numbers around 0.

    Some jump from 5 to 5,000: asinh is the logarithm of such values and leaves those near 0 alone.
    """
    import tensorflow as tf
    import tensorflow_transform as tft

    from penstock.transform import fill_missing

    return {
        transformed(name): fill_missing(
            tft.scale_to_z_score(tf.math.asinh(tf.cast(inputs[name], tf.float32)))
        )
        for name in SENSORS
    }


def is_not_high(batch):
    """Keeps the rows of all states but "High", for FilterRows."""
    return pc.not_equal(pc.list_element(batch.column(STATE), 0), b"High")
