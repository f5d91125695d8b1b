import pytest

from penstock.artifacts import InfraBlessing, ModelBlessing


@pytest.mark.parametrize("kind", [ModelBlessing, InfraBlessing])
@pytest.mark.parametrize(
    ("files", "blessed"), [(["yes"], True), (["no"], False), ([], False), (["yes", "no"], False)]
)
def test_a_model_is_blessed_by_the_one_file_without_the_other(tmp_path, kind, files, blessed):
    names = {"yes": kind.BLESSED_FILE, "no": kind.NOT_BLESSED_FILE}
    for each in files:
        (tmp_path / names[each]).touch()
    assert kind(f"{tmp_path}/").blessed is blessed
