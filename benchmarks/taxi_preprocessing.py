"""The analysers of TFX's taxi example: z-scores, vocabularies, buckets, and a label from two features."""

from typing import Any

import tensorflow as tf
import tensorflow_transform as tft

_SCALED = ("trip_miles", "fare", "trip_seconds")
_VOCABULARY = ("payment_type", "company")
_BUCKETED = ("pickup_latitude", "pickup_longitude", "dropoff_latitude", "dropoff_longitude")
_KEPT = (
    "trip_start_hour",
    "trip_start_day",
    "trip_start_month",
    "pickup_census_tract",
    "dropoff_census_tract",
    "pickup_community_area",
    "dropoff_community_area",
)


def _filled(value: Any) -> Any:
    """Return one value a row; a missing one becomes 0 or the empty string."""
    if not isinstance(value, tf.SparseTensor):
        return tf.reshape(value, [-1])
    default = "" if value.dtype == tf.string else 0
    one_column = tf.SparseTensor(value.indices, value.values, [value.dense_shape[0], 1])
    return tf.squeeze(tf.sparse.to_dense(one_column, default), axis=1)


def preprocessing_fn(inputs: dict[str, Any]) -> dict[str, Any]:
    """Transform the taxi features as TFX's example does."""
    outputs = {}
    for name in _SCALED:
        outputs[name + "_xf"] = tft.scale_to_z_score(tf.cast(_filled(inputs[name]), tf.float32))
    for name in _VOCABULARY:
        outputs[name + "_xf"] = tft.compute_and_apply_vocabulary(
            _filled(inputs[name]), top_k=1000, num_oov_buckets=10
        )
    for name in _BUCKETED:
        outputs[name + "_xf"] = tft.bucketize(tf.cast(_filled(inputs[name]), tf.float32), 10)
    for name in _KEPT:
        outputs[name + "_xf"] = tf.cast(_filled(inputs[name]), tf.int64)
    fare = tf.cast(_filled(inputs["fare"]), tf.float32)
    tips = tf.cast(_filled(inputs["tips"]), tf.float32)
    large = tf.cast(tips > fare * 0.2, tf.int64)
    outputs["tips_xf"] = tf.where(tf.math.is_nan(fare), tf.zeros_like(large), large)
    return outputs
