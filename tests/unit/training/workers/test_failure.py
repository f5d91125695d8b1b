"""An error that is told to a process which lacks its class."""

import pickle

import pytest

from penstock.launch.error_line import error_line
from penstock.launch.tracebacks import told_traceback
from penstock.training.workers.failure import Failure, MemberFailed

USER = """
def run_fn(fn_args):
    raise Odd("too few rows")

class Odd(LookupError):
    pass
"""


def raised(source, path):
    namespace = {"__name__": "modules.taxi"}
    exec(compile(source, str(path), "exec"), namespace)
    with pytest.raises(Exception) as caught:  # noqa: PT011
        namespace["run_fn"](None)
    return caught.value


def test_it_keeps_its_name_its_message_and_the_users_line(tmp_path):
    path = tmp_path / "taxi.py"
    path.write_text(USER)
    error = raised(USER, path)
    failure = pickle.loads(pickle.dumps(Failure.of(error, "worker 1", error.__traceback__.tb_next)))
    told = failure.error()
    assert isinstance(told, MemberFailed)
    assert error_line(told) == "modules.taxi.Odd: too few rows"
    text = told_traceback(told, None)
    assert text.startswith("In the process 'worker 1':\nTraceback (most recent call last):\n")
    assert f'File "{path}", line 3, in run_fn' in text
    assert text.endswith("Odd: too few rows\n")


def test_a_value_error_stays_one_and_a_message_that_cannot_be_made_is_told():
    class Mute(ValueError):
        def __str__(self):
            raise KeyError("no text")

    error = raised("def run_fn(fn_args):\n    raise ValueError('7 columns')", "x.py")
    assert isinstance(Failure.of(error, "chief", None).error(), ValueError)
    assert Failure.of(Mute(), "chief", None).text == "(its message cannot be made: KeyError)"
