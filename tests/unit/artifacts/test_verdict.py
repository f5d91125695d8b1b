import pytest

from penstock.artifacts import Verdict


def test_a_verdict_is_one_line_of_bounded_length() -> None:
    assert Verdict("three\n  lines\nhere").text == "three lines here"
    long = Verdict("x" * 1000, ok=False)
    assert len(long.text) == 400
    assert long.text.endswith("x...")
    assert Verdict.from_json(long.to_json()) == long
    assert Verdict.from_json(None) is None


def test_only_text_is_taken() -> None:
    with pytest.raises(TypeError, match="Received: 3"):
        Verdict(3)  # type: ignore[arg-type]
