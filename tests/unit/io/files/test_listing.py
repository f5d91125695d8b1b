import pytest

from penstock.io.files.filesystem import list_matching


@pytest.fixture(params=["local", "memory"])
def base(request, tmp_path):
    if request.param == "local":
        return str(tmp_path)
    return f"memory://{tmp_path.name}"


@pytest.fixture
def make(base):
    import fsspec

    def write(*names):
        for name in names:
            with fsspec.open(f"{base}/{name}", "w", auto_mkdir=True) as file:
                file.write("x")
        return base

    return write


def names(base, pattern):
    return [path.rpartition(base.partition("://")[2] or base)[2] for path in list_matching(pattern)]


def test_brackets_in_a_name_that_exists_are_a_part_of_it(make):
    base = make("taxi [v2]/data [1].csv", "taxi [v2]/data 1.csv", "taxi 2/data 1.csv", "data 1.csv")
    assert names(base, f"{base}/taxi [v2]/data [1].csv") == ["/taxi [v2]/data [1].csv"]
    both = ["/taxi [v2]/data 1.csv", "/taxi [v2]/data [1].csv"]
    assert names(base, f"{base}/taxi [v2]/*.csv") == both
    assert names(base, f"{base}/taxi [[]v2]/*.csv") == both


def test_brackets_else_are_a_choice_of_characters(make):
    base = make("data 1.csv", "data 2.csv", "data 3.csv", "_log.csv")
    assert names(base, f"{base}/data [12].csv") == ["/data 1.csv", "/data 2.csv"]
    assert names(base, f"{base}/*.csv") == ["/data 1.csv", "/data 2.csv", "/data 3.csv"]


def test_a_hidden_file_is_found_by_its_name(make):
    base = make(".taxi.csv", "_taxi.csv", "taxi.csv")
    assert names(base, f"{base}/_taxi.csv") == ["/_taxi.csv"]
    assert names(base, f"{base}/.taxi.csv") == ["/.taxi.csv"]
    assert names(base, f"{base}/*") == ["/taxi.csv"]


def test_a_link_that_leads_nowhere_is_an_error(tmp_path):
    (tmp_path / "a.csv").write_text("x")
    (tmp_path / "b.csv").symlink_to(tmp_path / "gone.csv")
    with pytest.raises(FileNotFoundError, match="gone.csv, which is not there"):
        list_matching(f"{tmp_path}/*.csv")
