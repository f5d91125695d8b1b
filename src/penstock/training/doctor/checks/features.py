"""Whether features vary, are finite, and have a scale that a network learns from."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from penstock.training.doctor.case import Case
from penstock.training.doctor.finding import Finding

if TYPE_CHECKING:
    import numpy as np

LARGE = 30.0
"""Root mean square of an input above which it is not normalized.

The curvature of the loss along a weight grows with the mean square of its input (LeCun et al. 1998,
"Efficient BackProp", section 4.3), and along the bias it is 1: at 30 the two differ by a factor of 900,
and a learning rate that fits one does not fit the other. Pixels from 0 to 255 have about 130, ages 40,
years 2000; scaled numbers have 1, logarithms less than 15.
"""
SMALL = 1e-3
"""Below this the weights have to grow a thousandfold before the input counts."""
_ENOUGH_ROWS = 1_000
_MOST_COLUMNS = 256
_NAMED = 3


def constant_feature(case: Case) -> Iterator[Finding]:
    """Find features that have the same value in all rows.

    Zero stands for what is rare in flags and counts: it counts as constant only if all rows were seen.
    Within a matrix zeros and ones do not count, since borders of images and bias columns have them.
    """
    if case.train is None or case.train.num_rows < 2:
        return
    rows = case.train
    for name, values in rows.features.items():
        if not rows.is_whole and len(values) < _ENOUGH_ROWS:
            continue
        flat = values.reshape(len(values), -1)
        if flat.shape[1] == 0:
            continue
        constant = (flat == flat[:1]).all(axis=0)
        if constant.all():
            if not rows.is_whole and _is_zero(flat[0]):
                continue
            what, value = f"feature {name!r}", _shown(flat[0])
        elif 1 < flat.shape[1] <= _MOST_COLUMNS and values.ndim == 2 and values.dtype.kind in "iuf":
            found = [i for i in constant.nonzero()[0] if flat[0, i] not in (0, 1)]
            if not found:
                continue
            what, value = f"column {found[0]} of feature {name!r}", f"{flat[0, found[0]]:g}"
        else:
            continue
        yield Finding(
            "constant-feature",
            what,
            f"{what[0].upper()}{what[1:]} is {value} in {rows.rows}: the model learns nothing from it.",
            "Leave it out, or look at how it is made.",
        )


def unnormalized_input(case: Case) -> Iterator[Finding]:
    """Find numbers far from a scale of 1 that a layer gets as they are in the data."""
    if case.look is None or case.train is None:
        return
    told: set[str] = set()
    for each in case.look.passes:
        by_feature: dict[str, list[int | None]] = {}
        for name, column in each.raw:
            by_feature.setdefault(name, []).append(column)
        for name, columns in by_feature.items():
            values = case.train.features.get(name)
            if values is None or name in told:
                continue
            found = _out_of_scale(values, columns)
            if found is None:
                continue
            told.add(name)
            which, scale, low, high = found
            what = f"feature {name!r}" if which is None else f"column {which} of feature {name!r}"
            yield Finding(
                "unnormalized-input",
                what,
                f"{what[0].upper()}{what[1:]} goes into layer {each.layer.name!r} as it is, with values "
                f"from {low:.4g} to {high:.4g} (root mean square {scale:.3g}). Layers expect about 1.",
                "Scale it, in Transform with tft.scale_to_z_score, or in the model with "
                "keras.layers.Normalization or Rescaling.",
            )


def non_finite_input(case: Case) -> Iterator[Finding]:
    """Find features and labels with NaN or infinity that the model does not handle.

    A model may replace missing numbers itself: where it gives finite outputs for such rows, it does.
    """
    if case.train is None:
        return
    if not case.handles_non_finite:
        for name, values in case.train.features.items():
            yield from _non_finite(f"feature {name!r}", values, case.train.rows)
    for head in case.heads:
        if head.labels is not None and head.kind:
            yield from _non_finite(head.label_subject, head.labels, case.train.rows)


def non_finite_layer(case: Case) -> Iterator[Finding]:
    """Find the first layer that gives NaN or infinity for finite rows, if the model does."""
    import numpy as np

    if case.look is None or all(np.isfinite(out).all() for out in case.look.outputs.values()):
        return
    for each in case.look.passes:
        if each.input_is_finite and not each.output_is_finite:
            subject = f"layer {each.layer.name!r}"
            yield Finding(
                "non-finite-layer",
                subject,
                f"Layer {each.layer.name!r} gives NaN or infinity for finite numbers, before any training.",
                "Look for a logarithm or root of 0, a division by 0 or weights that overflow in it.",
            )
            return


def _non_finite(subject: str, values: np.ndarray, rows: str) -> Iterator[Finding]:
    import numpy as np

    if values.dtype.kind != "f":
        return
    bad = ~np.isfinite(values.reshape(len(values), -1)).all(axis=1)
    if bad.any():
        kind = "NaN" if np.isnan(values).any() else "infinity"
        yield Finding(
            "non-finite-input",
            subject,
            f"{subject[0].upper()}{subject[1:]} holds {kind} in {int(bad.sum()):,} of {rows}, first in row "
            f"{int(bad.argmax()):,}: one such row makes all weights NaN.",
            "Replace missing values, in Transform with penstock.transform.fill_missing, or leave out the "
            "rows.",
        )


def _out_of_scale(
    values: np.ndarray, columns: list[int | None]
) -> tuple[int | None, float, float, float] | None:
    """Return the column, the root mean square and the range of the worst column, if it is far off."""
    import numpy as np

    floats = values.astype(np.float64)
    floats[~np.isfinite(floats)] = np.nan
    if floats.ndim != 2 or floats.shape[1] == 1:
        floats, columns = floats.reshape(-1, 1), [None]
    scales = np.sqrt(np.nanmean(np.square(floats), axis=0))
    chosen = [i for i in columns if i is not None] or list(range(floats.shape[1]))
    worst = max(chosen, key=lambda i: scales[i])
    # Single columns of a matrix may be nearly always 0.
    small = columns == [None] and 0 < scales[worst] < SMALL
    if not (scales[worst] > LARGE or small):
        return None
    column = floats[:, worst]
    named = worst if floats.shape[1] > 1 else None
    return named, float(scales[worst]), float(np.nanmin(column)), float(np.nanmax(column))


def _is_zero(values: np.ndarray) -> bool:
    return values.dtype.kind in "biuf" and not values.any()


def _shown(values: np.ndarray) -> str:
    if len(values) > _NAMED:
        return "the same"
    listed = [v.decode(errors="replace") if isinstance(v, bytes) else v for v in values.tolist()]
    return repr(listed[0]) if len(listed) == 1 else repr(listed)


CHECKS = (constant_feature, unnormalized_input, non_finite_input, non_finite_layer)
