"""Greedy and beam search, on a small Markov chain whose best sequences are counted by hand."""

import itertools

import keras
import numpy as np
import pytest
from keras import ops

from penstock.training.layers import beam_search, greedy_search

pytestmark = pytest.mark.tensorflow

END, LENGTH = 1, 5
# 0 is padding, 2 the start. From 2 the likeliest token is 3, but from there nothing is likely;
# 4 is a little less likely, and goes on with certainty.
CHAIN = np.array(
    [
        [1.0, 0.0, 0.0, 0.0, 0.0],
        [1.0, 0.0, 0.0, 0.0, 0.0],
        [0.0, 0.1, 0.0, 0.5, 0.4],
        [0.0, 0.25, 0.25, 0.25, 0.25],
        [0.0, 0.9, 0.0, 0.05, 0.05],
    ]
)


def next_logits(tokens, position):
    last = ops.take(tokens, position, axis=1)
    return ops.take(ops.convert_to_tensor(np.log(CHAIN + 1e-9), "float32"), last, axis=0)


def likeliest(beams: int) -> list[tuple[float, list[int]]]:
    """All sequences from 2, by probability."""
    found = []
    for length in range(1, LENGTH):
        for tail in itertools.product((2, 3, 4), repeat=length - 1):
            tokens = [2, *tail, END]
            chance = np.prod([CHAIN[a, b] for a, b in itertools.pairwise(tokens)])
            found.append((chance, tokens + [0] * (LENGTH - len(tokens))))
    return sorted(found, reverse=True)[:beams]


def test_greedy_takes_the_likeliest_token_each_time():
    start = np.array([2, 4, END])
    tokens = ops.convert_to_numpy(greedy_search(next_logits, start, LENGTH, END))
    assert tokens.tolist() == [[2, 3, 1, 0, 0], [4, 1, 0, 0, 0], [1, 0, 0, 0, 0]]


def test_one_beam_is_greedy():
    start = np.array([2, 4])
    greedy = greedy_search(next_logits, start, LENGTH, END)
    beam = beam_search(next_logits, start, LENGTH, END, beams=1)
    np.testing.assert_array_equal(
        ops.convert_to_numpy(beam.tokens)[:, 0], ops.convert_to_numpy(greedy)
    )


def test_a_wide_beam_finds_the_likeliest_sequences():
    # The first three of all sequences; the greedy one is the second of them.
    tokens, scores = beam_search(
        next_logits, np.array([2, 2]), LENGTH, END, beams=5, length_penalty=0
    )
    expected = likeliest(3)
    for row in range(2):
        assert ops.convert_to_numpy(tokens)[row, :3].tolist() == [each for _, each in expected]
        np.testing.assert_allclose(
            ops.convert_to_numpy(scores)[row, :3], np.log([c for c, _ in expected]), atol=1e-4
        )


def test_the_length_penalty_prefers_long_sequences():
    found = [
        beam_search(next_logits, np.array([2]), LENGTH, END, beams=5, length_penalty=penalty)
        for penalty in (0.0, 3.0)
    ]
    lengths = [(ops.convert_to_numpy(each.tokens)[0, 0] != 0).sum() for each in found]
    assert lengths[0] < lengths[1]


def test_a_search_can_be_traced_with_any_number_of_rows():
    if keras.backend.backend() != "tensorflow":
        pytest.skip("tf.function is TensorFlow's")
    import tensorflow as tf

    @tf.function(input_signature=[tf.TensorSpec([None], tf.int32)])
    def search(start):
        best = beam_search(next_logits, start, LENGTH, END, beams=3).tokens[:, 0]
        return greedy_search(next_logits, start, LENGTH, END), best

    greedy, best = search(tf.constant([2, 4, 3]))
    assert greedy.shape == best.shape == (3, LENGTH)


def test_no_beam_is_refused():
    with pytest.raises(ValueError, match="beams=0"):
        beam_search(next_logits, np.array([2]), LENGTH, END, beams=0)
