"""The random generators of a process: Python's, NumPy's, Keras's and the backend's."""

from __future__ import annotations

import random
import sys
from collections.abc import Mapping
from typing import Any

import numpy as np


def random_state() -> dict[str, Any]:
    """Return the states of the global random generators that the process uses."""
    kind, keys, place, has_gauss, gauss = np.random.get_state(legacy=True)
    state: dict[str, Any] = {
        "python": random.getstate(),
        "numpy": [kind, np.array(keys), int(place), int(has_gauss), float(gauss)],
    }
    if (generator := _keras_generator()) is not None:
        state["keras"] = np.array(generator.state.numpy())
    if "torch" in sys.modules:
        import torch

        state["torch"] = torch.get_rng_state().numpy().copy()
        if torch.cuda.is_available():
            state["torch_cuda"] = [each.cpu().numpy() for each in torch.cuda.get_rng_state_all()]
    return state


def set_random_state(state: Mapping[str, Any]) -> None:
    """Set the states that `random_state` returned."""
    random.setstate(state["python"])
    np.random.set_state(tuple(state["numpy"]))
    if "keras" in state and (generator := _keras_generator(create=True)) is not None:
        generator.state.assign(state["keras"])
    if "torch" in state and "torch" in sys.modules:
        import torch

        torch.set_rng_state(torch.from_numpy(state["torch"].copy()))
        if "torch_cuda" in state and torch.cuda.is_available():
            torch.cuda.set_rng_state_all([torch.from_numpy(each) for each in state["torch_cuda"]])


def _keras_generator(*, create: bool = False) -> Any:
    """Return the generator that `keras.random` uses without a seed, if the process has it.

    Keras has no public name for it; where it has moved, its state is not kept.
    """
    try:
        from keras.src.backend.common import global_state
        from keras.src.random.seed_generator import global_seed_generator
    except ImportError:
        return None
    if not create and global_state.get_global_attribute("global_seed_generator") is None:
        return None
    return global_seed_generator()
