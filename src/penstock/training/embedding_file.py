"""Embeddings in text files of the format of word2vec and GloVe: a token and its numbers on each line."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

from penstock.io.files.filesystem import naming, open_decompressed, open_for_writing

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

_LOG = logging.getLogger("penstock.training")


def embedding_matrix(
    path: str, tokens: Sequence[str], dim: int, *, seed: int = 0
) -> npt.NDArray[np.float32]:
    """Return the vectors of a vocabulary, as the weights of a `keras.layers.Embedding`.

    The file is that of GloVe, or of word2vec's text format, whose first line holds its sizes; `.gz` is
    decompressed. Tokens may contain spaces: the last `dim` words of a line are its numbers.

    Args:
        path: A local path or an fsspec URL.
        tokens: The vocabulary; the row of the result is the token's place in it.
        dim: Numbers of a vector.
        seed: For the small random vectors of tokens that the file does not have.

    Returns:
        float32 of the shape (tokens, dim).

    Raises:
        FileNotFoundError: If there is no such file.
        ValueError: If the file has vectors of another size, a line is not one, or none of the tokens is
            in it.

    Example:
        >>> weights = embedding_matrix("glove.6B.50d.txt", ["", "", *fn_args.vocabulary("words")], 50)
        >>> model.get_layer("embedding").set_weights([weights])
    """
    import numpy as np

    rows: dict[str, list[int]] = {}
    for row, token in enumerate(tokens):
        if token:
            rows.setdefault(token, []).append(row)
    # Keras's own start: an Embedding is uniform within a twentieth of 0.
    matrix = np.random.default_rng(seed).uniform(-0.05, 0.05, (len(tokens), dim))
    found = 0
    for line, token, numbers in _lines(path, dim):
        for row in rows.get(token, ()):
            try:
                matrix[row] = [float(number) for number in numbers]
            except ValueError as error:
                raise ValueError(f"{path}, line {line}: {error}. Expected {dim} numbers") from None
            found += 1
    if not found:
        raise ValueError(
            f"{path} has none of the {len(rows)} tokens, such as {next(iter(rows), '')!r}. Is it an "
            f"embedding of such tokens?"
        )
    _LOG.info("%d of %d tokens have a vector in %s", found, len(rows), path)
    return matrix.astype(np.float32)


def _lines(path: str, dim: int) -> Iterator[tuple[int, str, list[str]]]:
    with open_decompressed(path) as file:
        for number, raw in enumerate(file, 1):
            text = raw.decode("utf-8", "replace").rstrip("\r\n")
            if number == 1 and len(sizes := text.split()) == 2 and all(map(str.isdigit, sizes)):
                if int(sizes[1]) != dim:
                    raise ValueError(
                        f"{path} has vectors of {sizes[1]} numbers. Received: dim={dim}"
                    )
                continue
            token, *numbers = text.rsplit(" ", dim)
            if len(numbers) != dim:
                raise ValueError(
                    f"{path}, line {number}: expected a token and {dim} numbers, found "
                    f"{len(numbers)}. Received: dim={dim}"
                )
            yield number, token, numbers


def write_embeddings(path: str, tokens: Sequence[str], vectors: Any) -> None:
    """Write vectors so that `embedding_matrix` and other tools read them: word2vec's text format.

    Args:
        path: A local path or an fsspec URL.
        tokens: The vocabulary.
        vectors: Numbers of the shape (tokens, dim).

    Raises:
        ValueError: If there are not as many vectors as tokens.

    Example:
        >>> write_embeddings("vectors.txt", ["ja", "nein"], [[0.5, 1.0], [-0.5, 2.0]])
    """
    import numpy as np

    array = np.asarray(vectors, dtype=np.float32)
    if array.ndim != 2 or len(array) != len(tokens):
        raise ValueError(
            f"{len(tokens)} tokens need vectors of the shape ({len(tokens)}, dim). "
            f"Received: shape {array.shape}"
        )
    with naming(path), open_for_writing(path) as file:
        file.write(f"{len(tokens)} {array.shape[1]}\n".encode())
        for token, vector in zip(tokens, array.tolist(), strict=True):
            file.write(f"{token} {' '.join(f'{number:.6g}' for number in vector)}\n".encode())
