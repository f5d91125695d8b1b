"""Flights on a cut of the days: classification with a short search, and regression by both losses."""

from __future__ import annotations

import subprocess
import sys

import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest

pytestmark = [
    pytest.mark.tensorflow,
    # KerasTuner's.
    pytest.mark.filterwarnings("ignore:(currentThread|getName):DeprecationWarning"),
]

FLIGHT = {
    "month": 7, "weekday": 0, "hour": 19, "carrier": "EV", "origin": "EWR", "dest": "BNA",
    "distance": 748, "temp": 75.0, "humid": 95.0, "wind_dir": 200.0, "wind_speed": 12.0, "precip": 0.2,
    "visib": 3.0,
}  # fmt: skip
"""An evening of thunderstorms; nothing is known of the aircraft."""
CALM = FLIGHT | {
    "month": 1, "hour": 6, "temp": 40.0, "humid": 50.0, "precip": 0.0, "visib": 10.0, "pressure": 1022.0,
}  # fmt: skip


@pytest.fixture
def few_flights(copied_project):
    """January and July: 6,600 flights."""
    table = pq.read_table("data/flights/flights.parquet")
    (copied_project / "data").unlink()
    folder = copied_project / "data/flights"
    folder.mkdir(parents=True)
    keep = pc.field("month").isin([1, 7])
    pq.write_table(table.filter(keep), folder / "flights.parquet")
    return copied_project


def answers(result: dict, *rows: dict) -> list[dict]:
    from penstock.serving import load_model

    (model,) = result["nodes"]["Trainer"]["outputs"]["model"]
    return load_model(model["uri"] + "/Format-Serving").predict(list(rows))


def test_late_flights_are_told_nearly_as_well_as_by_boosting(few_flights, run_pipeline):
    result = run_pipeline("tabular", "--param", "trial_epochs=1", "--param", "epochs=3")
    nodes = result["nodes"]
    found = nodes["BaselineComparison"]["metrics"]
    # The whole run has 0.726 of 0.716.
    assert found["model/auc"] > found["baseline/auc"] - 0.02
    assert found["model/auc"] > 0.65
    assert nodes["Tuner"]["metrics"]["trials"] == 1
    storm, calm = (each["late_probability"][0] for each in answers(result, FLIGHT, CALM))
    assert storm > calm + 0.1


@pytest.mark.parametrize("loss", ["huber", pytest.param("poisson", marks=pytest.mark.slow)])
def test_minutes_in_the_air(few_flights, run_pipeline, loss):
    result = run_pipeline("tabular_regression", "--param", f"loss={loss}", "--param", "epochs=4")
    found = result["nodes"]["BaselineComparison"]["metrics"]
    # The whole run has 7.0 of 7.0; a fourth of the flights and of the epochs is not enough for that.
    assert found["model/mae"] < found["baseline/mae"] + 2.0
    (flight,) = answers(result, FLIGHT)
    assert 80 < flight["minutes"][0] < 140
    (run,) = result["nodes"]["Trainer"]["outputs"]["model_run"]
    assert (few_flights / run["uri"] / "minutes/minutes.png").stat().st_size > 5000


def test_a_loss_that_is_not_there_is_refused_in_words(copied_project):
    import importlib

    module = importlib.import_module("modules.tabular")
    with pytest.raises(ValueError, match=r"huber.*Received: 'hubber'"):
        module.label_of("hubber")


@pytest.mark.parametrize(
    "backend",
    [pytest.param("jax", marks=pytest.mark.slow), pytest.param("torch", marks=pytest.mark.torch)],
)
def test_another_backend_trains_without_tensorflow(few_flights, backend):
    """The module asserts it: TensorFlow is not among what its process has imported."""
    pytest.importorskip(backend)
    module = few_flights / "modules/tabular.py"
    text = module.read_text()
    first = '    label = label_of(fn_args.custom_config["loss"])\n    with fn_args.strategy'
    assert first in text
    check = '    import sys\n\n    assert "tensorflow" not in sys.modules\n'
    module.write_text(text.replace(first, check + first))
    words = ["--param", f"backend={backend}", "--param", "trial_epochs=1", "--param", "epochs=3"]
    done = subprocess.run(
        [sys.executable, "-m", "penstock", "run", "pipelines/tabular.py", "--seed", "7", *words],
        cwd=few_flights,
        capture_output=True,
        text=True,
        timeout=900,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "Pusher complete" in done.stdout + done.stderr


@pytest.mark.slow
@pytest.mark.parametrize("loss", ["cross_entropy", "focal"])
def test_in_full(run_pipeline, loss):
    result = run_pipeline("tabular", "--param", f"loss={loss}")
    assert result["nodes"]["Pusher"]["verdict"]["text"].startswith("pushed version")
