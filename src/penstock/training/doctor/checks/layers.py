"""Whether the layers of a model that trains still learn."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING

from penstock.training.doctor.backward import Gradient
from penstock.training.doctor.finding import Finding
from penstock.training.doctor.forward import Look

if TYPE_CHECKING:
    import numpy as np

_MOST_DEAD = 0.5
"""A high learning rate kills up to 40 % of a network's units (Karpathy, CS231n, "Commonly used activation
functions"), and it still learns: more than half of a layer is a mistake."""
_FEWEST_ROWS = 32
VANISHED = 1e-5
"""Size of a layer's gradient relative to the largest one's. Measured after 80 steps on stacks of dense
layers 32 wide: with ReLU or tanh 3 to 20 layers 3e-2 or more, 50 layers 5e-4 or more; with sigmoid 6 layers
7e-4 or more, 10 layers (which hardly learn) about 1e-5, 20 layers 5e-12 or less."""
_RECTIFIERS = ("relu", "relu6")


def dead_units(seen: Look) -> dict[str, tuple[int, int]]:
    """Return the layers of which more than half of the units are 0 for all rows: dead ones, and all."""
    import numpy as np

    if seen.num_rows < _FEWEST_ROWS:
        return {}
    largest: dict[str, np.ndarray] = {}
    for each in seen.passes:
        leaks = getattr(each.layer, "negative_slope", 0)
        if each.activation in _RECTIFIERS and not leaks and each.largest is not None:
            name = each.layer.name
            largest[name] = np.maximum(largest.get(name, each.largest), each.largest)
    counts = {name: (int((values <= 0).sum()), len(values)) for name, values in largest.items()}
    return {name: counts for name, counts in counts.items() if counts[0] > _MOST_DEAD * counts[1]}


def dead_units_finding(name: str, dead: int, units: int, rows: int, step: int) -> Finding:
    """Return the finding about a layer with dead units."""
    return Finding(
        "dead-units",
        f"layer {name!r}",
        f"{dead} of {units} units of layer {name!r} give 0 for all of {rows} rows: their weights get no "
        "gradient any more.",
        "Lower the learning rate, scale the features, or use an activation with a slope below 0, such as "
        '"leaky_relu" or "gelu".',
        step,
    )


def vanished(found: Iterable[Gradient]) -> dict[str, float]:
    """Return the weights whose gradients have vanished, with their size relative to the largest one's."""
    matrices = [each for each in found if each.is_matrix]
    largest = max((each.size for each in matrices), default=0.0)
    if largest <= 0.0:
        return {}
    return {each.name: each.size / largest for each in matrices if each.size < VANISHED * largest}


def vanished_finding(names: dict[str, float], step: int) -> Finding:
    """Return the finding about weights whose gradients have vanished."""
    first, ratio = next(iter(names.items()))
    others = f" and {len(names) - 1} other weights" if len(names) > 1 else ""
    size = "are 0" if not ratio else f"are {ratio:.0e} of the largest"
    return Finding(
        "vanishing-gradients",
        first,
        f"The gradients of {first}{others} {size}: {'they do' if others else 'it does'} not learn.",
        "Use relu instead of sigmoid or tanh, batch or layer normalization, or connections around layers; "
        "and see that nothing on the way to the loss has no gradient, such as argmax or round.",
        step,
    )


def non_finite_gradients(found: Iterable[Gradient], step: int) -> Iterator[Finding]:
    """Yield the finding about gradients that are NaN or infinite, with the weights named."""
    bad = [each.name for each in found if not each.is_finite]
    if bad:
        listed = ", ".join(bad[:3]) + (f" and {len(bad) - 3} more" if len(bad) > 3 else "")
        yield Finding(
            "non-finite-gradient",
            bad[-1],
            f"The gradients of {listed} are NaN or infinite.",
            "Look for a root or logarithm of 0 or a division by 0 in what follows these weights, or limit "
            "the gradients by the optimizer's clipnorm=1.0.",
            step,
        )
