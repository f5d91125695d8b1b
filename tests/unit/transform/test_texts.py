"""Texts as pieces and as ids, in a transform graph and in what it serves."""

import numpy as np
import pytest

from penstock.transform import character_ngrams

pytestmark = pytest.mark.tensorflow


def pieces(*texts: str, **options) -> list[list[str]]:
    import tensorflow as tf

    found = character_ngrams(tf.constant([[text] for text in texts]), **options).to_list()
    return [[piece.decode() for piece in row] for row in found]


def test_pieces_overlap_and_show_where_words_end():
    assert pieces("Ja, ÄÖ", width=3) == [[" ja", "ja,", "a, ", ", ä", " äö", "äö "]]
    assert pieces("  a \n b", "", width=2) == [[" a", "a ", " b", "b "], ["  "]]


def test_single_characters():
    assert pieces("Žé", "", width=1) == [["ž", "é"], []]
    assert pieces("Žé", width=1, lower=False) == [["Ž", "é"]]


def test_a_missing_text_is_an_empty_one():
    import tensorflow as tf

    sparse = tf.SparseTensor([[1, 0]], tf.constant(["ab"]), [2, 1])
    assert character_ngrams(sparse, 1).to_list() == [[], [b"a", b"b"]]


def test_what_is_no_text_is_refused():
    import tensorflow as tf

    with pytest.raises(TypeError, match="takes texts. Received: int64"):
        character_ngrams(tf.constant([[1]], tf.int64))
    with pytest.raises(ValueError, match="width=0"):
        character_ngrams(tf.constant([["a"]]), 0)


def preprocessing_fn(inputs):
    from penstock.transform import character_ngrams, token_ids

    letters = character_ngrams(inputs["text"], 1)
    return {"tokens": token_ids(letters, 4, vocab_filename="letters", top_k=2)}


def test_ids_are_padding_unknown_and_the_vocabulary(tmp_path):
    import pyarrow as pa
    import tensorflow as tf
    from google.protobuf import text_format
    from tensorflow_metadata.proto.v0 import schema_pb2

    from penstock.io import ExamplesSplit, ExamplesWriter, split_files
    from penstock.training import FnArgs, load_transform_output
    from penstock.transform import TransformFolders, transform

    texts = ["aab", "a bc", "", "aacccccc"]
    batch = pa.record_batch(
        {"text": pa.array([[text.encode()] for text in texts], pa.large_list(pa.large_binary()))}
    )
    with ExamplesWriter(str(tmp_path / "raw"), ["train"]) as writer:
        writer.write("train", batch)
    schema = text_format.Parse(
        'feature { name: "text" type: BYTES presence { min_fraction: 1 } shape { dim { size: 1 } } }',
        schema_pb2.Schema(),
    )
    split = ExamplesSplit("train", split_files(str(tmp_path / "raw"), "train"))
    folders = TransformFolders(str(tmp_path / "graph"))
    transform(preprocessing_fn, schema, analyze=[split], transform=[], folders=folders)
    # c is beyond the fourth letter where it is frequent.
    assert FnArgs(transform_graph_path=str(tmp_path / "graph")).vocabulary("letters") == ["a", "c"]
    layer = load_transform_output(str(tmp_path / "graph")).transform_features_layer()
    ids = layer({"text": tf.constant([[text] for text in [*texts, "zab"]])})["tokens"]
    expected = [[2, 2, 1, 0], [2, 1, 1, 3], [0] * 4, [2, 2, 3, 3], [1, 2, 1, 0]]
    np.testing.assert_array_equal(ids, expected)
