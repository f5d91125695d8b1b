from penstock.tuning.parallel.conversation import Done, Failure, ParentLine


class Demanding(Exception):
    """Can be pickled, but not made again."""

    def __init__(self, number, word):
        super().__init__(f"{word} {number}")


class Sent(list):
    send = list.append


def test_an_exception_that_cannot_travel_is_told_in_words():
    sent = Sent()
    line = ParentLine(sent)
    for error in (Demanding(3, "mine"), KeyError("x")):
        try:
            raise error
        except Exception as raised:
            line.fail(raised)
    line.done()
    first, second, last = sent
    assert isinstance(first, Failure)
    assert repr(first.error) == "RuntimeError('Demanding: mine 3')"
    assert "in test_an_exception_that_cannot_travel" in first.traceback
    assert repr(second.error) == "KeyError('x')"
    assert isinstance(last, Done)
