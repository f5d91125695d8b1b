import pytest

from penstock.serving import ServedModel, load_model, push_model

pytestmark = pytest.mark.tensorflow


@pytest.fixture(scope="module")
def served(model):
    return ServedModel(model)


def test_rows_come_back_as_rows(served):
    rows = [
        {"x": 1.5, "n": 3, "kind": "b", "tags": ["p", "q"]},
        {"x": 2, "kind": None},
    ]
    assert served.predict(rows) == [
        {"double": [3.0], "index": 2, "kind": "b", "n": 3, "tags": 2},
        {"double": [4.0], "index": -1, "kind": "none", "n": 7, "tags": 0},
    ]


def test_the_model_knows_what_it_reads(served):
    assert served.features == {"x": "float32", "n": "int64", "kind": "string", "tags": "string"}


def test_a_misspelt_feature_is_named(served):
    with pytest.raises(
        ValueError, match="Row 1 has 'kid', which the model does not read. Did you mean 'kind'"
    ):
        served.predict([{"x": 1.0}, {"x": 1.0, "kid": "a"}])


def test_a_value_of_another_type_is_named(served):
    with pytest.raises(ValueError, match=r"reads 'x' as float32. Received in row 0: \['one'\]"):
        served.predict([{"x": "one"}])


def test_the_latest_or_a_chosen_version_is_loaded(model, tmp_path):
    for _ in range(2):
        push_model(model, str(tmp_path), versioning="next")
    assert load_model(str(tmp_path)).path.endswith("/2")
    assert load_model(str(tmp_path), version=1).path.endswith("/1")
    with pytest.raises(ValueError, match=r"has no version 3. Versions: \[1, 2\]"):
        load_model(str(tmp_path), version=3)


def test_a_signature_must_exist_and_take_examples(model):
    with pytest.raises(
        ValueError, match="no signature 'predict'. Signatures: halve, serving_default"
    ):
        ServedModel(model, "predict")
    with pytest.raises(ValueError, match="takes x and no serialized"):
        ServedModel(model, "halve")
