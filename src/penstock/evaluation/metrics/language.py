"""BLEU and ROUGE: how near a text is to its references, by the packages that TFMA uses too.

A label is one text or several, a prediction one text. TFMA writes these values as text; here they are
numbers.
"""

from __future__ import annotations

import functools
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from penstock.evaluation.inputs import MetricInputs
from penstock.evaluation.kernels.sums import FloatArray
from penstock.evaluation.metrics.registry import Computation, metric
from penstock.evaluation.metrics.texts import RawRowSums

Array = npt.NDArray[Any]

_ORDERS = 4
"""The longest n-grams that BLEU counts."""


def _texts(inputs: MetricInputs, what: str) -> list[tuple[list[str], str]]:
    """Return the references and the prediction of each row."""
    rows = []
    for references, prediction in zip(inputs.labels[:, 0], inputs.predictions, strict=True):
        found = [*references.tolist(), *prediction.tolist()]
        if len(prediction) != 1 or not all(isinstance(each, bytes | str) for each in found):
            raise ValueError(
                f"{what} compares one text a row with its references. Received: {prediction.tolist()!r} "
                f"and {references.tolist()!r}"
            )
        texts = [each.decode() if isinstance(each, bytes) else each for each in found]
        rows.append((texts[:-1], texts[-1]))
    return rows


def _imported(package: str, metric_name: str) -> Any:
    try:
        return __import__(package)
    except ImportError as error:
        distribution = package.replace("_", "-")
        raise ValueError(
            f"{metric_name} needs the package {distribution}: pip install {distribution}"
        ) from error


@functools.cache
def _scorer(rouge_type: str, use_stemmer: bool) -> Any:
    _imported("rouge_score", "Rouge")
    from rouge_score import rouge_scorer

    return rouge_scorer.RougeScorer([rouge_type], use_stemmer=use_stemmer)


@dataclass(frozen=True)
class _RougeTerms:
    rouge_type: str
    use_stemmer: bool

    def __call__(self, inputs: MetricInputs, weights: Array) -> FloatArray:
        scorer = _scorer(self.rouge_type, self.use_stemmer)
        scores = [
            scorer.score_multi(references, prediction)[self.rouge_type]
            for references, prediction in _texts(inputs, "Rouge")
        ]
        terms = np.array([(each.precision, each.recall, each.fmeasure, 1.0) for each in scores])
        return np.asarray(terms.reshape(-1, 4) * weights[:, None])


@metric("Rouge")
def rouge(rouge_type: str, use_stemmer: bool = False) -> Computation:
    """Return the means of ROUGE's precision, recall and F measure."""
    if rouge_type not in ("rougeL", "rougeLsum", *(f"rouge{n}" for n in range(1, 10))):
        raise ValueError(
            f"Rouge's rouge_type must be rouge1 to rouge9, rougeL or rougeLsum. Received: {rouge_type!r}"
        )
    kernel = (RawRowSums, _RougeTerms(rouge_type, use_stemmer))

    def part(index: int) -> Computation:
        def value(sums: FloatArray) -> float:
            return float(sums[index] / sums[3]) if len(sums) and sums[3] else float("nan")

        return Computation(kernel, value, labels="lists", raw=True)

    parts = {name: part(i) for i, name in enumerate(("precision", "recall", "fmeasure"))}
    return Computation(kernel, parts["fmeasure"].value, labels="lists", raw=True, parts=parts)


@functools.cache
def _bleu(lowercase: bool, tokenize: str) -> Any:
    return _imported("sacrebleu", "Bleu").BLEU(lowercase=lowercase, tokenize=tokenize, force=True)


@dataclass(frozen=True)
class _BleuTerms:
    lowercase: bool
    tokenize: str

    def __call__(self, inputs: MetricInputs, weights: Array) -> FloatArray:
        bleu = _bleu(self.lowercase, self.tokenize)
        terms = np.zeros((len(inputs.labels), 2 + 2 * _ORDERS))
        for i, (references, prediction) in enumerate(_texts(inputs, "Bleu")):
            # The lengths of the prediction and the nearest reference, then n-grams found and made.
            score = bleu.corpus_score([prediction], [[each] for each in references])
            terms[i] = score.sys_len, score.ref_len, *score.counts, *score.totals
        return terms


@metric("Bleu")
def bleu(
    lowercase: bool = False,
    tokenize: str = "13a",
    smooth_method: str = "exp",
    smooth_value: float | None = None,
    use_effective_order: bool = False,
) -> Computation:
    """Return the BLEU score of all texts together, from 0 to 100; weights do not count."""

    def value(sums: FloatArray) -> float:
        if not len(sums):
            return float("nan")
        counts = sums.astype(int).tolist()
        score = _imported("sacrebleu", "Bleu").BLEU.compute_bleu(
            counts[2 : 2 + _ORDERS],
            counts[2 + _ORDERS :],
            counts[0],
            counts[1],
            smooth_method=smooth_method,
            smooth_value=smooth_value,
            effective_order=use_effective_order,
        )
        return float(score.score)

    kernel = (RawRowSums, _BleuTerms(lowercase, tokenize))
    return Computation(kernel, value, labels="lists", raw=True)
