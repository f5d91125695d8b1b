import pytest

from penstock.launch.explanation import Explanation
from penstock.launch.key_difference import key_differences


def explanation(old: dict, new: dict, *reasons: str) -> Explanation:
    found = tuple(key_differences(old, new))
    sentences = tuple(each.sentence for each in found)
    return Explanation("n", "COMPLETE", "It ran.", (*sentences, *reasons), found)


def test_few_reasons_are_all_told():
    found = explanation({"parameters": {"a": 1}}, {"parameters": {"a": 2}}, "attempt 1 failed: x")
    assert found.shortened() == ["parameter a changed: 1 -> 2", "attempt 1 failed: x"]


@pytest.mark.parametrize("files", [30, 5000])
def test_many_reasons_are_short_and_every_part_of_the_key_is_among_them(files):
    old = {
        "code": {f"m:f{number:02}": "1" for number in range(40)},
        "parameters": {"a": 1},
        "external": {f"data/{number}.csv": "1" for number in range(files)},
        "libraries": {"keras": "1"},
    }
    new = {
        "code": dict.fromkeys(old["code"], "2"),
        "parameters": {"a": 2},
        "external": dict.fromkeys(old["external"], "2"),
        "libraries": {"keras": "2"},
    }
    lines = explanation(old, new, "attempt 1 failed: x").shortened()
    assert len(lines) <= 18
    assert lines[0] == "m.py: f00 changed"
    assert "parameter a changed: 1 -> 2" in lines
    assert "library keras changed: 1 -> 2" in lines
    assert lines[-1] == "attempt 1 failed: x"
    more = [each for each in lines if each.startswith("and ")]
    assert more[-1] == f"and {files - 3} more of this kind (--json lists them)"
