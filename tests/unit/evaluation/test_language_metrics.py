"""BLEU and ROUGE, against the packages that define them."""

import numpy as np
import pytest

from penstock.evaluation.config import as_eval_config
from penstock.evaluation.inputs import MetricInputs
from penstock.evaluation.kernels.sums import View
from penstock.evaluation.metrics.registry import build_metric
from penstock.evaluation.requested_metrics import metric_requests
from penstock.evaluation.resolve import resolve_config
from penstock.evaluation.slices.slicing import Membership

REFERENCES = [
    ["The quick brown fox jumps over the lazy dog.", "A fast fox leaps over a dog."],
    ["Penguins live on ice.", "Penguins live on the ice."],
    ["It rained all day.", "All day it rained."],
]
PREDICTIONS = ["The quick fox jumped over the dog.", "Penguins live on the ice", "It snowed."]
WEIGHTS = np.array([1.0, 2.0, 0.5])


def kernel_of(class_name, config=""):
    _, computation = build_metric(class_name, config)
    kernel_class, params = computation.kernel
    kernel = kernel_class(params, View(weighted=True, raw=True))
    labels = np.empty(3, dtype=object)
    labels[:] = [np.array([text.encode() for text in each], object) for each in REFERENCES]
    predictions = np.array([text.encode() for text in PREDICTIONS], object)
    for rows in (slice(0, 1), slice(1, 3)):
        inputs = MetricInputs(labels[rows], predictions[rows], WEIGHTS[rows])
        count = len(inputs.labels)
        kernel.add(inputs, Membership(np.arange(count), np.zeros(count, np.int64), 1))
    return computation, kernel


@pytest.mark.parametrize("rouge_type", ["rouge1", "rouge2", "rougeL", "rougeLsum"])
def test_rouge_is_the_weighted_mean_of_the_scores(rouge_type):
    from rouge_score import rouge_scorer

    scorer = rouge_scorer.RougeScorer([rouge_type])
    scores = [
        scorer.score_multi(references, prediction)[rouge_type]
        for references, prediction in zip(REFERENCES, PREDICTIONS, strict=True)
    ]
    computation, kernel = kernel_of("Rouge", {"rouge_type": rouge_type})
    for name in ("precision", "recall", "fmeasure"):
        expected = np.average([getattr(each, name) for each in scores], weights=WEIGHTS)
        assert computation.parts[name].value(kernel.state(0)) == pytest.approx(expected, abs=1e-9)


def test_bleu_is_that_of_the_corpus():
    import sacrebleu

    columns = [list(texts) for texts in zip(*REFERENCES, strict=True)]
    expected = sacrebleu.corpus_bleu(PREDICTIONS, columns, force=True).score
    computation, kernel = kernel_of("Bleu")
    assert computation.value(kernel.state(0)) == pytest.approx(expected, abs=1e-9)


def test_they_have_tfmas_names_and_ends():
    metrics = [{"class_name": "Rouge", "config": '"rouge_type": "rougeL"'}, {"class_name": "Bleu"}]
    config = as_eval_config(
        {
            "model_specs": [{"label_key": "y", "example_weight_key": "w"}],
            "metrics_specs": [{"metrics": metrics}],
        }
    )
    found = {
        each.key.name: each.key.example_weighted
        for each in metric_requests(resolve_config(config, has_baseline=False))
    }
    weighted = dict.fromkeys(("rougeL/precision", "rougeL/recall", "rougeL/fmeasure"), True)
    assert found == {**weighted, "BLEU": False}


def test_what_is_no_text_is_refused():
    with pytest.raises(
        ValueError, match="rouge_type must be rouge1 to rouge9, rougeL or rougeLsum"
    ):
        build_metric("Rouge", {"rouge_type": "rouge0"})
    _, computation = build_metric("Bleu")
    kernel_class, params = computation.kernel
    labels = np.empty(1, dtype=object)
    labels[0] = np.array([1.0])
    with pytest.raises(ValueError, match="Bleu compares one text a row with its references"):
        kernel_class(params, View(raw=True)).terms(MetricInputs(labels, np.array([0.5])))
