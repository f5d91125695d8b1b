"""Transformer layers: what padding and causality hide, what is saved, and what is refused."""

import keras
import numpy as np
import pytest
from keras import ops

from penstock.training.layers import (
    FeedForward,
    PositionEmbedding,
    TokenAndPositionEmbedding,
    TransformerDecoder,
    TransformerEncoder,
)
from penstock.training.layers.embedding import sine_positions

pytestmark = pytest.mark.tensorflow

TOKENS = np.array([[3, 5, 2, 0, 0], [1, 4, 4, 2, 6]])


def array(tensor) -> np.ndarray:
    return ops.convert_to_numpy(tensor)


@pytest.fixture(autouse=True)
def seed():
    keras.utils.set_random_seed(3)


def vectors(*shape: int) -> np.ndarray:
    return np.random.default_rng(0).normal(size=shape).astype("float32")


def classifier(positions: str = "learned", norm_first: bool = True) -> keras.Model:
    tokens = keras.Input((None,), dtype="int32")
    x = TokenAndPositionEmbedding(9, 8, max_length=6, positions=positions)(tokens)
    x = TransformerEncoder(2, 16, dropout=0.1, norm_first=norm_first)(x)
    x = keras.layers.GlobalAveragePooling1D()(x)
    return keras.Model(tokens, keras.layers.Dense(3)(x))


@pytest.mark.parametrize("norm_first", [True, False])
@pytest.mark.parametrize("positions", ["learned", "sine"])
def test_padding_does_not_change_what_a_text_is(positions, norm_first):
    model = classifier(positions, norm_first)
    alone = array(model(TOKENS[:1, :3]))
    np.testing.assert_allclose(array(model(TOKENS))[:1], alone, atol=1e-5)


def test_scores_are_shares_of_what_is_no_padding():
    x = TokenAndPositionEmbedding(9, 8, max_length=5)(TOKENS)
    block = TransformerEncoder(2, 16)
    y, scores = block(x, return_attention_scores=True)
    assert scores.shape == (2, 2, 5, 5)
    np.testing.assert_allclose(array(scores).sum(-1)[1], 1, atol=1e-5)
    assert array(scores)[0, :, :3, 3:].max() < 1e-6
    # What padding becomes is nobody's concern.
    np.testing.assert_allclose(array(block(x))[0, :3], array(y)[0, :3], atol=1e-5)
    np.testing.assert_allclose(array(block(x))[1], array(y)[1], atol=1e-5)


def test_a_mask_that_is_given_hides_as_well():
    x = vectors(1, 4, 8)
    other = x.copy()
    other[:, 3] *= -1
    block, mask = TransformerEncoder(2, 16), np.array([[True, True, True, False]])
    np.testing.assert_allclose(
        array(block(x, mask=mask))[:, :3], array(block(other, mask=mask))[:, :3], atol=1e-6
    )
    assert np.abs(array(block(x))[:, :3] - array(block(other))[:, :3]).max() > 1e-3


def test_a_place_sees_nothing_that_comes_later():
    x, context = vectors(1, 4, 8), vectors(1, 3, 6)
    later = x.copy()
    later[:, 2:] *= -1
    block = TransformerDecoder(2, 16)
    first, second = array(block(x, context=context)), array(block(later, context=context))
    np.testing.assert_allclose(first[:, :2], second[:, :2], atol=1e-6)
    assert np.abs(first[:, 2:] - second[:, 2:]).min() > 1e-4
    assert np.abs(first - array(block(x, context=context + 1))).max() > 1e-3


def test_a_decoder_leaves_the_padding_of_its_context_out():
    embed = TokenAndPositionEmbedding(9, 8, max_length=5)
    y, block = vectors(1, 4, 8), TransformerDecoder(2, 16)
    padded, own, cross = block(y, context=embed(TOKENS[:1]), return_attention_scores=True)
    assert own.shape == (1, 2, 4, 4)
    assert cross.shape == (1, 2, 4, 5)
    assert array(cross)[..., 3:].max() < 1e-6
    assert np.triu(array(own)[0, 0], 1).max() < 1e-6
    alone = block(y, context=embed(TOKENS[:1, :3]))
    np.testing.assert_allclose(array(padded), array(alone), atol=1e-5)


def test_a_decoder_without_context_is_a_language_model():
    block = TransformerDecoder(2, 16)
    y, own, cross = block(vectors(1, 4, 8), return_attention_scores=True)
    assert y.shape == (1, 4, 8)
    assert own.shape == (1, 2, 4, 4)
    assert cross is None
    with pytest.raises(ValueError, match="was built without a context, and is called with one"):
        block(vectors(1, 4, 8), context=vectors(1, 3, 8))


# Keras writes a Variable as NumPy 2 does not like it.
@pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")
def test_a_saved_model_gives_the_same_numbers(tmp_path):
    tokens = keras.Input((5,), dtype="int32")
    answer = keras.Input((4,), dtype="int32")
    encoded = TransformerEncoder(2, 16, activation="relu")(
        TokenAndPositionEmbedding(9, 8, 5, positions="sine")(tokens)
    )
    y = TokenAndPositionEmbedding(9, 8, 4, dropout=0.1)(answer)
    y = TransformerDecoder(4, 8, norm_first=False)(y, context=encoded)
    model = keras.Model([tokens, answer], FeedForward(4)(y))
    model.save(tmp_path / "model.keras")
    again = keras.saving.load_model(tmp_path / "model.keras")
    given = [TOKENS, TOKENS[:, :4]]
    np.testing.assert_array_equal(array(again(given)), array(model(given)))
    for one, other in zip(model.layers, again.layers, strict=True):
        assert one.get_config() == other.get_config()


def test_half_precision_computes_in_half_precision():
    x = TokenAndPositionEmbedding(9, 8, 5, dtype="mixed_bfloat16")(TOKENS)
    y = TransformerEncoder(2, 16, dtype="mixed_bfloat16")(x)
    assert keras.backend.standardize_dtype(y.dtype) == "bfloat16"
    assert np.isfinite(array(ops.cast(y, "float32"))).all()


def test_sine_positions_are_waves_of_falling_frequency():
    waves = sine_positions(50, 6)
    np.testing.assert_allclose(waves[:, 0], np.sin(np.arange(50)), atol=1e-5)
    np.testing.assert_allclose(waves[:, 1], np.cos(np.arange(50)), atol=1e-5)
    np.testing.assert_allclose(waves[:, 4], np.sin(np.arange(50) / 10000 ** (4 / 6)), atol=1e-5)


def test_what_does_not_fit_is_refused():
    with pytest.raises(ValueError, match=r"knows 4 positions, and the sequences have 5"):
        PositionEmbedding(4)(vectors(1, 5, 8))
    with pytest.raises(ValueError, match="num_heads=3, and the last axis"):
        TransformerEncoder(3, 16)(vectors(1, 5, 8))
    with pytest.raises(ValueError, match="positions='cosine'"):
        PositionEmbedding(4, positions="cosine")
