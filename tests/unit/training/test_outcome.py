import logging

import pytest

from penstock.training import FnArgs
from penstock.training.outcome import check_exported
from penstock.training.user_functions import UserFunctionError

PLACE = "run_fn (modules/taxi.py, line 7)"
log = logging.getLogger("penstock.node.Trainer")


@pytest.fixture
def fn_args(tmp_path):
    return FnArgs(
        working_dir=str(tmp_path / "scratch"),
        serving_model_dir=str(tmp_path / "model" / "Format-Serving"),
        eval_model_dir=str(tmp_path / "model" / "Format-TFMA"),
        model_run_dir=str(tmp_path / "run"),
    )


def write(path):
    path.parent.mkdir(parents=True)
    path.write_bytes(b"")


def test_nothing_exported_is_an_error_at_the_users_line(fn_args):
    with pytest.raises(
        UserFunctionError, match=r"run_fn \(modules/taxi.py, line 7\) exported no model"
    ):
        check_exported(fn_args, PLACE, log)


@pytest.mark.parametrize(
    "place",
    ["model/saved_model.pb", "run/export/saved_model.pb", "scratch/mine.keras", "run/model.pkl"],
)
def test_a_model_in_another_folder_is_named(fn_args, tmp_path, place):
    write(tmp_path / place)
    with pytest.raises(UserFunctionError, match=f"It wrote .*{place}, where nobody looks"):
        check_exported(fn_args, PLACE, log)


def test_a_model_below_the_serving_folder_is_named(fn_args, tmp_path, caplog):
    write(tmp_path / "model/Format-Serving/1/saved_model.pb")
    check_exported(fn_args, PLACE, log)
    assert (
        "Format-Serving/1/saved_model.pb: write to fn_args.serving_model_dir itself" in caplog.text
    )


@pytest.mark.parametrize("file", ["Format-Serving/saved_model.pb", "Format-Serving/model.pkl"])
def test_what_is_right_is_not_warned_of(fn_args, tmp_path, caplog, file):
    write(tmp_path / "model" / file)
    check_exported(fn_args, PLACE, log)
    assert not caplog.records


def test_why_there_is_only_a_keras_file_is_told(fn_args, tmp_path, caplog):
    write(tmp_path / "model/Format-Keras/model.keras")
    check_exported(fn_args, PLACE, log, "TensorFlow is not installed here.")
    assert [record.message for record in caplog.records] == ["TensorFlow is not installed here."]
