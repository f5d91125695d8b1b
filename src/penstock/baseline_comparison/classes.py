"""The classes of a label, and predictions in the order of those classes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    import numpy.typing as npt


@dataclass(frozen=True)
class Classes:
    """The values of a label, sorted, as scikit-learn's `classes_`.

    Args:
        values: Numbers, or text.

    Example:
        >>> Classes.of(np.array([b"dog", b"cat", b"dog"], dtype=object)).values
        ('cat', 'dog')
    """

    values: tuple[Any, ...]

    @classmethod
    def of(cls, labels: npt.NDArray[Any], names: Sequence[str] = ()) -> Classes:
        """Return the classes of labels, with those that a model knows besides.

        Args:
            labels: The labels of the rows to train on.
            names: The model's names of its classes.
        """
        found = {plain_label(each) for each in labels.tolist()}
        if found and all(isinstance(each, str) for each in found):
            found |= set(names)
        return cls(tuple(sorted(found)))

    def indices(self, labels: npt.NDArray[Any]) -> npt.NDArray[np.int64]:
        """Return each label's place among the classes; -1 for one that is not among them."""
        places = {value: i for i, value in enumerate(self.values)}
        return np.array([places.get(plain_label(each), -1) for each in labels.tolist()], np.int64)

    def scores(
        self, predictions: npt.NDArray[Any], names: Sequence[Any], whose: str
    ) -> npt.NDArray[np.float64]:
        """Return predictions as a score for each class, in the order of the classes.

        Args:
            predictions: Scores of the shape (rows, classes); of the second of two classes, (rows,) or
                (rows, 1); or predicted classes.
            names: What the columns are, in their order; by default the classes.
            whose: Who predicted, for messages.

        Raises:
            ValueError: If there are other columns, or a name is not a class.
        """
        array = np.asarray(predictions)
        if array.ndim == 2 and array.shape[1] == 1:
            array = array[:, 0]
        if array.ndim == 1:
            if array.dtype.kind == "f" and len(self.values) == 2:
                return np.stack([1 - array, array], axis=1).astype(np.float64)
            return self._of_classes(array, whose)
        if array.ndim != 2:
            raise ValueError(
                f"{whose} returned an array of the shape {array.shape}. Expected (rows, classes), or "
                "(rows,) of the second class's probability or of predicted classes."
            )
        columns = [plain_label(name) for name in names] or self._by_default(array.shape[1])
        if columns is None or len(columns) != array.shape[1]:
            raise ValueError(
                f"{whose} returned {array.shape[1]} columns. Expected one for each of the "
                f"{len(columns or self.values)} classes: "
                f"{', '.join(map(str, (columns or self.values)[:20]))}. If the model knows other classes, "
                "say their order in class_names."
            )
        spread = np.zeros((len(array), len(self.values)), np.float64)
        kept = {value: i for i, value in enumerate(self.values)}
        for i, name in enumerate(columns):
            if name in kept:
                spread[:, kept[name]] = array[:, i]
        return spread

    def _by_default(self, columns: int) -> list[Any] | None:
        if columns == len(self.values):
            return list(self.values)
        whole = all(isinstance(value, int) and 0 <= value < columns for value in self.values)
        return list(range(columns)) if whole else None

    def _of_classes(self, predicted: npt.NDArray[Any], whose: str) -> npt.NDArray[np.float64]:
        places = self.indices(predicted)
        if (places < 0).any():
            wrong = plain_label(predicted.tolist()[int(np.argmin(places))])
            raise ValueError(
                f"{whose} predicted {wrong!r}, which is no class. Classes: "
                f"{', '.join(map(str, self.values[:20]))}"
            )
        scores = np.zeros((len(predicted), len(self.values)))
        scores[np.arange(len(predicted)), places] = 1.0
        return scores


def plain_label(value: Any) -> Any:
    """Return a label as text or a whole number, if it is one."""
    if isinstance(value, bytes):
        return value.decode(errors="replace")
    if isinstance(value, float) and value.is_integer():
        return int(value)
    return int(value) if isinstance(value, bool) else value
