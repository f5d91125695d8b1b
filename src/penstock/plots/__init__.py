"""Pictures of models and data: functions that return a `matplotlib.figure.Figure`, and what writes them.

Matplotlib is imported when something is drawn, always with its Agg backend and never through `pyplot`: no
window, no state that is shared between threads.
"""

from typing import TYPE_CHECKING

from penstock.lazy_exports import lazy_exports

if TYPE_CHECKING:
    from penstock.plots.attention import attention_maps
    from penstock.plots.bar_charts import bars
    from penstock.plots.canvas import new_figure
    from penstock.plots.confusion import confusion_matrix
    from penstock.plots.curves import curve_comparison, training_curves
    from penstock.plots.forecasts import forecast
    from penstock.plots.images import heat_map_over_image, image_grid
    from penstock.plots.learning_rates import learning_rate_curve
    from penstock.plots.pictures import write_pictures
    from penstock.plots.points import map_of_vectors
    from penstock.plots.scores import precision_recall, predicted_and_actual, score_histogram

_MODULE_OF = {
    "attention_maps": "attention",
    "bars": "bar_charts",
    "confusion_matrix": "confusion",
    "curve_comparison": "curves",
    "forecast": "forecasts",
    "heat_map_over_image": "images",
    "image_grid": "images",
    "map_of_vectors": "points",
    "learning_rate_curve": "learning_rates",
    "new_figure": "canvas",
    "precision_recall": "scores",
    "predicted_and_actual": "scores",
    "score_histogram": "scores",
    "training_curves": "curves",
    "write_pictures": "pictures",
}

__all__ = [
    "attention_maps",
    "bars",
    "confusion_matrix",
    "curve_comparison",
    "forecast",
    "heat_map_over_image",
    "image_grid",
    "learning_rate_curve",
    "map_of_vectors",
    "new_figure",
    "precision_recall",
    "predicted_and_actual",
    "score_histogram",
    "training_curves",
    "write_pictures",
]

__getattr__, __dir__ = lazy_exports(__name__, _MODULE_OF)
