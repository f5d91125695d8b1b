"""Vectors written and read in word2vec's text format, and GloVe's, which has no first line."""

import numpy as np
import pytest

from penstock.training import embedding_matrix, write_embeddings

TOKENS = ["ja", " ne", "a b", "ö"]
VECTORS = np.arange(12, dtype="float32").reshape(4, 3) / 8


def test_what_is_written_is_read_again(tmp_path):
    path = str(tmp_path / "made" / "vectors.txt")
    write_embeddings(path, TOKENS, VECTORS)
    found = embedding_matrix(path, ["", *reversed(TOKENS), "unknown"], 3)
    np.testing.assert_array_equal(found[1:5], VECTORS[::-1])
    assert found.dtype == np.float32
    # Padding and what the file does not have begin as in a new Embedding.
    assert 0 < np.abs(found[[0, 5]]).max() <= 0.05
    np.testing.assert_array_equal(
        found, embedding_matrix(path, ["", *reversed(TOKENS), "unknown"], 3)
    )


def test_glove(tmp_path):
    path = tmp_path / "glove.txt"
    path.write_text("the 0.1 -0.2\nof 1e-3 4\n")
    np.testing.assert_allclose(embedding_matrix(str(path), ["of"], 2), [[0.001, 4.0]])


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("1 5\nja 1 2 3 4 5\n", "vectors of 5 numbers. Received: dim=3"),
        ("ja 1 2\n", "line 1: expected a token and 3 numbers, found 2"),
        ("ja 1 2 x\n", "line 1: could not convert string to float: 'x'"),
        ("nein 1 2 3\n", "none of the 1 tokens, such as 'ja'"),
    ],
)
def test_a_file_of_something_else_is_refused(tmp_path, text, message):
    path = tmp_path / "vectors.txt"
    path.write_text(text)
    with pytest.raises(ValueError, match=message):
        embedding_matrix(str(path), ["ja"], 3)


def test_vectors_must_be_as_many_as_tokens(tmp_path):
    with pytest.raises(ValueError, match=r"2 tokens need vectors of the shape \(2, dim\)"):
        write_embeddings(str(tmp_path / "v.txt"), ["a", "b"], VECTORS)
