from penstock.launch.attempt_log import append_to_log
from penstock.launch.error_line import error_line
from penstock.launch.tracebacks import told_traceback


class Silent(Exception):
    def __str__(self):
        raise RuntimeError("no message")


def test_a_long_message_is_cut():
    line = error_line(ValueError("x" * 100_000))
    assert len(line) < 2200
    assert "100,000 characters" in line
    assert len(told_traceback(ValueError("x" * 100_000), None)) < 2500


def test_a_message_can_be_printed_anywhere():
    error = ValueError("lone \ud800, \x1b[31mred\x1b[0m\nand \x07 a bell")
    assert error_line(error) == r"ValueError: lone \ud800, red and a bell"
    told_traceback(error, None).encode()


def test_an_error_that_cannot_tell_its_message():
    assert error_line(Silent()).endswith("Silent: (its message cannot be made: RuntimeError)")


def test_a_log_takes_any_text(tmp_path):
    append_to_log(str(tmp_path / "logs" / "log.txt"), "lone \ud800\n")
    assert (tmp_path / "logs" / "log.txt").read_text() == "lone \\ud800\n"
