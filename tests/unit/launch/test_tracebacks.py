"""What of a failure is told on the terminal."""

from __future__ import annotations

import functools
import traceback

import pytest

from penstock.io import read_csv
from penstock.io.files.filesystem import open_binary
from penstock.launch.error_line import error_line
from penstock.launch.tracebacks import is_refusal, told_traceback


@pytest.fixture
def broken(tmp_path):
    path = tmp_path / "trips.csv"
    path.write_text("fare,kind\n1,a\n2\n")
    return str(path)


def _raised(call):
    """Return what a call raises, and its traceback from the call on, as `run` would be called."""
    with pytest.raises(Exception) as caught:  # noqa: PT011
        call()
    return caught.value.with_traceback(caught.tb.tb_next)


def test_a_broken_row_needs_no_traceback(broken):
    error = _raised(functools.partial(next, read_csv([broken])))
    assert "line 3: expected 2 cells" in str(error)
    assert is_refusal(error)
    assert told_traceback(error, error.__traceback__) == ""


def test_a_message_of_several_lines_keeps_them(broken):
    error = _raised(functools.partial(next, read_csv([broken])))
    error.args = ("two\nlines",)
    assert told_traceback(error, error.__traceback__) == "CsvError: two\nlines\n"


def test_what_came_through_the_users_code_has_its_lines(broken):
    def users():
        next(read_csv([broken]))

    error = _raised(users)
    assert not is_refusal(error)
    told = told_traceback(error, error.__traceback__)
    assert "next(read_csv([broken]))" in told


def test_frames_before_the_users_code_are_left_out():
    def preprocess():
        raise TypeError("not a number")

    error = _raised(functools.partial(exec, "preprocess()", {"preprocess": preprocess}))
    told = told_traceback(error, error.__traceback__)
    assert "<string>" not in told
    assert told.splitlines()[-1] == "TypeError: not a number"
    assert 'raise TypeError("not a number")' in told


def test_what_another_process_met_in_the_users_code_is_told(broken):
    error = _raised(functools.partial(next, read_csv([broken])))
    error.add_note(f'In the process that worked on it:\n  File "{__file__}", line 1, in read_rows')
    assert not is_refusal(error)
    assert "in read_rows" in told_traceback(error, error.__traceback__)


def test_other_errors_may_be_faults_and_are_told_whole():
    error = _raised(functools.partial(open_binary, 5))
    assert not isinstance(error, ValueError)
    assert "".join(traceback.format_exception(error)) == told_traceback(error, error.__traceback__)


GRAPH_ERROR = """Graph execution error:

Detected at node Cast defined at (most recent call last):
  File "<string>", line 1, in <module>

  File "/opt/penstock/transform/tracing.py", line 63, in extract

Cast string to float is not supported
\t [[{{node Cast}}]] [Op:__inference_pruned_912]"""


def test_what_a_running_graph_raises_is_told_without_the_stack_of_its_node():
    error = RuntimeError(GRAPH_ERROR)
    assert error_line(error) == "RuntimeError: Cast string to float is not supported"
    error.add_note('  File "modules/trips.py", line 12, in preprocessing_fn')
    assert told_traceback(error, None) == (
        "RuntimeError: Cast string to float is not supported\n"
        '  File "modules/trips.py", line 12, in preprocessing_fn\n'
    )
    assert (
        error_line(RuntimeError("Graph execution error:")) == "RuntimeError: Graph execution error:"
    )


@pytest.mark.parametrize(
    "folder", ["lib/python3.11/site-packages", "usr/lib/python3/dist-packages"]
)
def test_packages_of_another_environment_are_not_the_users_code(folder):
    call = "def call(function):\n    function()\n"
    library: dict[str, object] = {}
    exec(compile(call, f"/{folder}/tensorflow_x/io.py", "exec"), library)

    def preprocess():
        raise TypeError("not a number")

    error = _raised(functools.partial(library["call"], preprocess))
    told = told_traceback(error, error.__traceback__)
    assert "tensorflow_x" not in told
    assert 'raise TypeError("not a number")' in told
