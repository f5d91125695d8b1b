import pytest

from penstock.dsl.references import module_name
from penstock.graph import Graph
from penstock.launch.project import Project, ProjectError
from penstock.project_root import find_project_root

GRAPH = Graph("taxi", None, None, (), {})


def test_the_marker_makes_a_folder_the_root(tmp_path, monkeypatch):
    monkeypatch.delenv("PENSTOCK_STORE", raising=False)
    (tmp_path / "pyproject.toml").write_text("[tool.penstock]\n")
    (tmp_path / "pipelines").mkdir()
    project = Project.find(tmp_path / "pipelines")
    assert project.root == str(tmp_path)
    assert project.store_of(GRAPH) == str(tmp_path / ".penstock/metadata.db")
    assert project.pipeline_root(GRAPH) == str(tmp_path / ".penstock/taxi")


def test_without_a_marker_the_file_s_folder_is_the_root(tmp_path):
    (tmp_path / "pyproject.toml").write_text("[tool.other]\n")
    (tmp_path / "sub").mkdir()
    assert find_project_root(tmp_path / "sub" / "p.py") == tmp_path / "sub"
    assert module_name(tmp_path / "sub" / "p.py", tmp_path / "sub") == "p"


def test_the_table_and_the_environment_name_other_places(tmp_path, monkeypatch):
    (tmp_path / "pyproject.toml").write_text('[tool.penstock]\nstore = "m.db"\nroot = "gs://b/x"\n')
    monkeypatch.delenv("PENSTOCK_STORE", raising=False)
    project = Project.find(tmp_path)
    assert project.store == str(tmp_path / "m.db")
    assert project.pipeline_root(GRAPH) == "gs://b/x/taxi"
    monkeypatch.setenv("PENSTOCK_STORE", "postgresql://u@h/d")
    assert Project.find(tmp_path).store == "postgresql://u@h/d"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('[tool.penstock]\nstroe = "x"\n', "Received: 'stroe'"),
        ("[tool.penstock]\nstore = 3\n", "store must be a string. Received: 3"),
        ("[tool.penstock]\nstore = \n", "not valid TOML"),
    ],
)
def test_a_wrong_table_is_refused(tmp_path, text, message):
    (tmp_path / "pyproject.toml").write_text(text)
    with pytest.raises(ProjectError, match=message):
        Project.find(tmp_path)
