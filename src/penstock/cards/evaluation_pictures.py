"""The plots of an evaluation as pictures, for what cannot show a page."""

from __future__ import annotations

from pathlib import Path

from penstock.cards.classification_figures import classification_figures

FOLDER = "pictures"


def write_evaluation_pictures(folder: str) -> list[Path]:
    """Draw the confusion matrix and the ROC curve of an evaluation into its folder `pictures/`.

    They are there if the evaluation has the plots that they are made of (`MultiClassConfusionMatrixPlot`,
    `ConfusionMatrixPlot`).

    Args:
        folder: The evaluation's folder, local.

    Returns:
        The PNG files; beside them `index.html` shows them all.

    Raises:
        ModuleNotFoundError: If there is something to draw and Matplotlib is not installed.

    Example:
        >>> write_evaluation_pictures("evaluation/7")
        [PosixPath('evaluation/7/pictures/confusion_matrix.png')]
    """
    from penstock.plots import confusion_matrix, curve_comparison, write_pictures

    found = classification_figures(folder)
    figures = {}
    if found.cells:
        figures["confusion_matrix"] = confusion_matrix(found.cells, found.classes)
    if len(found.roc) > 1:
        false, true = ([point[i] for point in found.roc] for i in (0, 1))
        figures["roc"] = curve_comparison(
            {"model": (false, true), "chance": ([0.0, 1.0], [0.0, 1.0])},
            x_label="false positive rate",
            y_label="true positive rate",
        )
    if not figures:
        return []
    return write_pictures(f"{folder}/{FOLDER}", figures, title="Evaluation")
