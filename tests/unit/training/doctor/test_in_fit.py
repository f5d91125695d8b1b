"""The doctor in `penstock.training.fit`, which calls it by itself."""

import logging
import os

import numpy as np
import pytest

from penstock.training import FnArgs, fit
from penstock.training.doctor import TrainingDoctorError, read_findings

pytestmark = pytest.mark.tensorflow


def test_fit_warns_raises_or_is_silent_as_it_is_told(model, train, other, caplog, tmp_path):
    data, validation = (train.x, train.binary), (other.x, other.binary)
    fn_args = FnArgs(model_run_dir=str(tmp_path))
    with caplog.at_level(logging.WARNING, "penstock.training.doctor"):
        fit(model(activation=None), data, validation_data=validation, fn_args=fn_args)
    assert "loss-expects-probabilities" in caplog.text
    (finding,) = read_findings(str(tmp_path))
    assert finding.subject == "layer 'head'"

    with pytest.raises(TrainingDoctorError, match="no-validation-data"):
        fit(model(), data, doctor="error")
    with pytest.raises(TrainingDoctorError, match="no-validation-data"):
        fit(model(), data, fn_args=FnArgs(doctor="error"))
    fit(model(), data, fn_args=FnArgs(doctor="error", doctor_ignore=["no-validation-data"]))
    caplog.clear()
    fit(model(), data, doctor="off")
    assert caplog.text == ""


def test_nan_far_behind_the_sample_is_named_and_the_last_good_checkpoint_stays(model, tmp_path):
    generator = np.random.default_rng(0)
    x = generator.normal(size=(12_000, 4)).astype("float32")
    y = (x[:, :1] > 0).astype("float32")
    x[11_001, 2] = np.inf
    fn_args = FnArgs(checkpoint_dir=str(tmp_path))
    with pytest.raises(TrainingDoctorError) as raised:
        fit(
            model(), (x, y), validation_data=(x[:9], y[:9]), fn_args=fn_args,
            batch_size=100, shuffle=False, checkpoint_every=8,
        )  # fmt: skip
    (finding,) = raised.value.findings
    assert (finding.code, finding.subject, finding.step) == ("non-finite-input", "feature 'x'", 111)

    kept = sorted(name for _, _, names in os.walk(tmp_path) for name in names)
    assert kept
    # It goes on from there, with the row put right.
    x[11_001, 2] = 0.0
    history = fit(
        model(), (x, y), validation_data=(x[:9], y[:9]), fn_args=FnArgs(checkpoint_dir=str(tmp_path)),
        batch_size=100, shuffle=False, checkpoint_every=8,
    )  # fmt: skip
    assert np.isfinite(history.history["loss"][0])
