"""Bootstrap intervals agree with TFMA's within Monte-Carlo error, over 20 seeds of each."""

import importlib.util
import json
import subprocess
import sys

import numpy as np
import pytest

from penstock.evaluation import evaluate

pytestmark = [
    pytest.mark.slow,
    pytest.mark.tensorflow,
    pytest.mark.skipif(
        importlib.util.find_spec("tensorflow_model_analysis") is None,
        reason="TFMA is not installed",
    ),
]

SEEDS = range(20)
# TFMA's own combiners and its own resampling, without the pipeline around them: a pipeline a seed takes
# minutes.
_RUN = """
import json, sys, warnings
warnings.simplefilter("ignore")
arguments = json.load(sys.stdin)
import numpy as np
from google.protobuf import json_format
from tensorflow_model_analysis.evaluators import confidence_intervals_util, poisson_bootstrap
from tensorflow_model_analysis.evaluators import metrics_plots_and_validations_evaluator as evaluator
from tensorflow_model_analysis.metrics import metric_specs, metric_types
from tensorflow_model_analysis.proto import config_pb2
from tensorflow_model_analysis.utils import math_util

config = json_format.ParseDict(arguments["config"], config_pb2.EvalConfig())
computations = evaluator._filter_and_separate_computations(
    metric_specs.to_computations(list(config.metrics_specs), eval_config=config)
)
combiner = evaluator._ComputationsCombineFn(computations.non_derived_computations)
rows = []
for label, prediction, weight in arguments["rows"]:
    inputs = metric_types.StandardMetricInputs(
        label=np.array([label]), prediction=np.array([prediction]), example_weight=np.array([weight])
    )
    rows.append({
        "_combiner_inputs": [None] * len(computations.non_derived_computations),
        "_default_combiner_input": [inputs],
    })

def values(combine_fn):
    combine_fn.setup()
    state = combine_fn.create_accumulator()
    for row in rows:
        state = combine_fn.add_input(state, row)
    found = combine_fn.extract_output(state)
    for derived in computations.derived_computations:
        found.update(derived.result(found))
    return found

whole = values(combiner)
results = []
for seed in arguments["seeds"]:
    samples = poisson_bootstrap._BootstrapSampleCombineFn(20)
    state = samples.create_accumulator()
    Sample = confidence_intervals_util.SampleMetrics
    state = samples.add_input(state, Sample(dict(whole), poisson_bootstrap._FULL_SAMPLE_ID))
    for i in range(20):
        drawn = values(poisson_bootstrap._BootstrapCombineFn(combiner, 1000 * seed + i))
        state = samples.add_input(state, Sample(drawn, i))
    found = {}
    for key, value in samples.extract_output(state).items():
        if not key.name.startswith("_"):
            _, lower, upper = math_util.calculate_confidence_interval(value)
            found[key.name] = [float(value), lower, upper, value.sample_standard_deviation]
    results.append(found)
print(json.dumps(results))
"""


def test_bounds_are_tfmas_but_for_chance(files, columns, model):
    from tests.unit.evaluation.conftest import scores

    config = {
        "model_specs": [
            {"label_key": "positive", "prediction_key": "positive", "example_weight_key": "weight"}
        ],
        "metrics_specs": [
            {
                "metrics": [
                    {"class_name": name}
                    for name in ("AUC", "BinaryAccuracy", "MeanPrediction", "Recall")
                ],
                "example_weights": {"weighted": True},
            }
        ],
    }
    predictions = scores(np.array(columns["x"]))[:, 2]
    rows = [
        (float(label[0]), float(prediction), float(weight[0]))
        for label, prediction, weight in zip(
            columns["positive"], predictions, columns["weight"], strict=True
        )
    ]
    done = subprocess.run(
        [sys.executable, "-c", _RUN],
        input=json.dumps({"config": config, "rows": rows, "seeds": list(SEEDS)}),
        capture_output=True,
        text=True,
        env={"PATH": "/usr/bin:/bin", "TF_CPP_MIN_LOG_LEVEL": "3"},
    )
    assert done.returncode == 0, done.stderr[-3000:]
    theirs = json.loads(done.stdout.strip().splitlines()[-1])
    options = {
        "compute_confidence_intervals": True,
        "confidence_intervals": {"method": "POISSON_BOOTSTRAP"},
    }
    ours = []
    for seed in SEEDS:
        found = evaluate(files, model=model, eval_config={**config, "options": options}, seed=seed)
        ours.append(
            {
                name.removesuffix(" (weighted)"): [
                    float(value),
                    value.interval.lower,
                    value.interval.upper,
                    value.interval.standard_error,
                ]
                for name, value in found.metrics().items()
            }
        )
    assert set(ours[0]) == set(theirs[0]) == {"auc", "binary_accuracy", "mean_prediction", "recall"}
    for name in ours[0]:
        mine, other = (np.array([each[name] for each in runs]) for runs in (ours, theirs))
        np.testing.assert_allclose(mine[:, 0], other[:, 0], atol=1e-6)
        # Both means are off by their standard errors; four of them is a chance of 1 in 16,000.
        error = np.sqrt((mine.var(axis=0, ddof=1) + other.var(axis=0, ddof=1)) / len(SEEDS))
        assert (abs(mine.mean(axis=0) - other.mean(axis=0)) <= 4 * error + 1e-6).all(), name
