import pytest

from penstock.pushing import push_model, set_alias
from penstock.serving import ModelError
from penstock.serving.located import located


@pytest.fixture
def taxi(model, tmp_path, monkeypatch):
    destination = str(tmp_path / "models/taxi")
    for _ in range(3):
        push_model(model, destination, versioning="next")
    set_alias(destination, "champion", 2)
    monkeypatch.setenv("PENSTOCK_MODELS", str(tmp_path / "models"))
    monkeypatch.chdir(tmp_path)
    return destination


def test_a_path_is_itself(taxi):
    assert located(taxi, None) == (taxi, None)
    assert located(f"file://{taxi}", 2) == (taxi, 2)


def test_a_name_stands_for_a_version(taxi):
    assert located("models:/taxi@champion", None) == (taxi, 2)
    assert located("models:/taxi/3", None) == (taxi, 3)
    assert located("models:/taxi/latest", None) == (taxi, 3)


@pytest.mark.parametrize(
    ("name", "error"),
    [
        ("models:/taxi", "A model is named models:/NAME@ALIAS.* Received: 'models:/taxi'"),
        ("models:/taxi/champion", "A model is named"),
        ("models:/taxi@champ", "has no alias 'champ'. Did you mean 'champion'"),
        ("models:/taxi/9", "has no version 9. Versions: 1, 2, 3"),
    ],
)
def test_a_wrong_name_is_said(taxi, name, error):
    with pytest.raises(ValueError, match=error):
        located(name, None)


def test_a_name_and_a_version_are_one_too_many(taxi):
    with pytest.raises(ValueError, match="names a version itself. Received besides: version=3"):
        located("models:/taxi@champion", 3)


def test_an_unknown_model_is_said(taxi):
    with pytest.raises(LookupError, match="PENSTOCK_MODELS"):
        located("models:/tip/1", None)


def test_a_bucket_is_fetched(model, tmp_path, monkeypatch):
    import fsspec

    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    with pytest.raises(ModelError, match="No model at memory://located"):
        located("memory://located/taxi", None)
    push_model(model, "memory://located/taxi", versioning="next")
    try:
        folder, version = located("memory://located/taxi", "1")
        assert folder.startswith(f"{tmp_path}/penstock/models/")
        assert version is None
        assert located("memory://located/taxi", None) == (folder, None)
    finally:
        fsspec.filesystem("memory").rm("/located", recursive=True)
