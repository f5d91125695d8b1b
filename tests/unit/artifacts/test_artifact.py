import pytest

from penstock.artifacts import Artifact, ArtifactState, Examples, PropertyType, type_for_name


def test_round_trip_through_json():
    examples = Examples(
        "/root/1",
        id=3,
        state=ArtifactState.LIVE,
        properties={"span": 2},
        custom_properties={"note": "x"},
        fingerprint="ab",
    )
    examples.splits = ["train", "eval"]
    copy = Examples.from_json(examples.to_json())
    assert copy.to_json() == examples.to_json()
    assert copy.splits == ["train", "eval"]
    assert copy.state is ArtifactState.LIVE


def test_undeclared_property_names_the_declared_ones():
    with pytest.raises(KeyError, match=r"Examples declares no property 'spam'; it has \['span'"):
        Examples(properties={"spam": 1})


def test_a_subclass_without_a_type_name_is_named_after_its_class():
    class Vocabulary(Artifact):
        PROPERTIES = {"size": PropertyType.INT}

    assert Vocabulary.TYPE_NAME == "Vocabulary"
    assert type_for_name("Vocabulary") is Vocabulary


def test_split_folders_are_tfx_s():
    examples = Examples("/root/CsvExampleGen/examples/1/")
    examples.splits = ["train"]
    assert examples.split_uri("train") == "/root/CsvExampleGen/examples/1/Split-train"
    with pytest.raises(KeyError, match=r"no split 'test'; it has \['train'\]"):
        examples.split_uri("test")
    assert examples.properties["split_names"] == '["train"]'
