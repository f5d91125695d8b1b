"""Keras layers of transformers, and the search for a sequence; for every backend."""

from typing import TYPE_CHECKING

from penstock.lazy_exports import lazy_exports

if TYPE_CHECKING:
    from penstock.training.layers.decoding import BeamSearchResult, beam_search, greedy_search
    from penstock.training.layers.embedding import PositionEmbedding, TokenAndPositionEmbedding
    from penstock.training.layers.feed_forward import FeedForward
    from penstock.training.layers.transformer_decoder import TransformerDecoder
    from penstock.training.layers.transformer_encoder import TransformerEncoder

_MODULE_OF = {
    "BeamSearchResult": "decoding",
    "FeedForward": "feed_forward",
    "PositionEmbedding": "embedding",
    "TokenAndPositionEmbedding": "embedding",
    "TransformerDecoder": "transformer_decoder",
    "TransformerEncoder": "transformer_encoder",
    "beam_search": "decoding",
    "greedy_search": "decoding",
}

__all__ = [
    "BeamSearchResult",
    "FeedForward",
    "PositionEmbedding",
    "TokenAndPositionEmbedding",
    "TransformerDecoder",
    "TransformerEncoder",
    "beam_search",
    "greedy_search",
]

__getattr__, __dir__ = lazy_exports(__name__, _MODULE_OF)
