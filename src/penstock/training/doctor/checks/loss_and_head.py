"""Whether a loss fits the activation and the units of the output that it is computed from."""

from __future__ import annotations

from collections.abc import Iterator

from penstock.training.doctor.case import Case
from penstock.training.doctor.finding import Finding
from penstock.training.doctor.heads import Head

_CROSS_ENTROPIES = ("binary", "categorical", "sparse")
_FEWEST_ROWS = 8
"""Rows that must add up to one before an output counts as a softmax's."""
_REACH = {"relu": (0.0, float("inf")), "sigmoid": (0.0, 1.0), "tanh": (-1.0, 1.0)}
_SOME = 0.01


def logits_expected(case: Case) -> Iterator[Finding]:
    """Find losses that apply softmax or sigmoid to an output that already went through it."""
    for head in case.heads:
        if head.kind not in _CROSS_ENTROPIES or not head.from_logits:
            continue
        activation = head.activation
        if activation not in ("softmax", "sigmoid"):
            if not _is_softmax(head):
                continue
            activation = "softmax"
        yield Finding(
            "loss-expects-logits",
            head.subject,
            f"{_capital(head.subject)} ends in {activation}, and {head.loss}(from_logits=True) applies "
            "it a second time: the loss stays high and gradients are small.",
            "Leave from_logits out, or give the layer no activation.",
        )


def probabilities_expected(case: Case) -> Iterator[Finding]:
    """Find losses that take logarithms of an output that is no probability."""
    for head in case.heads:
        if head.kind not in _CROSS_ENTROPIES or head.from_logits or head.outputs is None:
            continue
        outside = (head.outputs < -1e-3) | (head.outputs > 1 + 1e-3)
        if head.activation not in ("linear", "relu", "tanh") and not outside.any():
            continue
        if head.activation in ("softmax", "sigmoid"):
            continue
        shown = f"gave {head.outputs.min():.3g} to {head.outputs.max():.3g}"
        wanted = "sigmoid" if head.kind == "binary" else "softmax"
        yield Finding(
            "loss-expects-probabilities",
            head.subject,
            f"{head.loss} takes probabilities, but {head.subject} "
            f"ends in {head.activation or 'no known activation'} and {shown}: what is below 0 or above 1 "
            "is cut off, and has no gradient.",
            f"Pass from_logits=True to the loss, or give the layer activation={wanted!r}.",
        )


def softmax_twice(case: Case) -> Iterator[Finding]:
    """Find a softmax that gets the probabilities of another softmax or sigmoid."""
    for head in case.heads:
        if head.activation != "softmax" or head.before is None:
            continue
        first = head.before.activation
        same = head.before.outputs is not None and head.outputs is not None
        if first in ("softmax", "sigmoid") and same and head.units == head.before.outputs.shape[-1]:  # type: ignore[union-attr]
            yield Finding(
                "softmax-twice",
                head.subject,
                f"{_capital(head.subject)} applies softmax to what layer {head.before.layer.name!r} has "
                f"put through {first}: no class can reach a probability near 1.",
                f"Give layer {head.before.layer.name!r} no activation.",
            )


def softmax_of_one_unit(case: Case) -> Iterator[Finding]:
    """Find a softmax over a single number, which is always 1."""
    for head in case.heads:
        if head.units == 1 and head.activation == "softmax":
            yield Finding(
                "softmax-of-one-unit",
                head.subject,
                f"{_capital(head.subject)} applies softmax to one unit: its output is always 1.",
                'Use activation="sigmoid" for two classes, or one unit for each class.',
            )


def one_unit_for_classes(case: Case) -> Iterator[Finding]:
    """Find losses over classes that are computed from one unit."""
    for head in case.heads:
        if head.units == 1 and head.kind in ("categorical", "sparse"):
            yield Finding(
                "one-unit-for-classes",
                head.subject,
                f"{head.loss} compares classes, but {head.subject} has one unit.",
                "For two classes use binary_crossentropy with a sigmoid; else one unit for each class.",
            )


def binary_loss_for_classes(case: Case) -> Iterator[Finding]:
    """Find classes that exclude each other and are trained as if each were a yes or no of its own."""
    for head in case.heads:
        if head.kind == "binary" and head.activation == "softmax" and (head.units or 0) > 1:
            yield Finding(
                "binary-loss-for-classes",
                head.subject,
                f"{_capital(head.subject)} is a softmax over {head.units} classes, but {head.loss} treats "
                'each as a yes or no of its own; metrics=["accuracy"] then counts those, too.',
                "Use categorical_crossentropy, or sparse_categorical_crossentropy for labels that are "
                "indices.",
            )


def sigmoid_for_classes(case: Case) -> Iterator[Finding]:
    """Find losses over classes that get units which do not add up to one."""
    for head in case.heads:
        units = head.units or 0
        if head.kind in ("categorical", "sparse") and head.activation == "sigmoid" and units > 1:
            yield Finding(
                "sigmoid-for-classes",
                head.subject,
                f"{head.loss} expects probabilities that add up to 1, but {head.subject} ends in sigmoid.",
                'Use activation="softmax"; or binary_crossentropy, if a row may have several classes.',
            )


def head_out_of_reach(case: Case) -> Iterator[Finding]:
    """Find labels of a regression where the output's activation never gets."""
    for head in case.heads:
        low, high = _REACH.get(head.activation, (None, None))
        if head.kind != "regression" or low is None or high is None or head.labels is None:
            continue
        if head.labels.dtype.kind not in "iuf":
            continue
        share = float(((head.labels < low) | (head.labels > high)).mean())
        if share > _SOME:
            yield Finding(
                "head-out-of-reach",
                head.subject,
                f"{_capital(head.subject)} ends in {head.activation}, which gives numbers from {low:g} to "
                f"{high:g}, but {share:.0%} of the {head.label_subject} lie outside "
                f"({head.labels.min():.4g} to {head.labels.max():.4g}).",
                "Give the layer no activation, or scale the labels.",
            )


def _is_softmax(head: Head) -> bool:
    """Whether rows of outputs add up to one; logits do so by no chance."""
    out = head.outputs
    if out is None or out.ndim < 2 or out.shape[-1] < 2 or len(out) < _FEWEST_ROWS:
        return False
    return bool((out >= 0).all() and (abs(out.sum(axis=-1) - 1) < 1e-3).all())


def _capital(subject: str) -> str:
    return subject[0].upper() + subject[1:]


CHECKS = (
    logits_expected,
    probabilities_expected,
    softmax_twice,
    softmax_of_one_unit,
    one_unit_for_classes,
    binary_loss_for_classes,
    sigmoid_for_classes,
    head_out_of_reach,
)
