"""Optional features as dense tensors, with missing values filled in."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import tensorflow as tf


def fill_missing(feature: Any, default: Any = None, *, values: int = 1) -> tf.Tensor:
    """Make an optional feature dense: rows without a value get `default`.

    A feature that the schema gives no fixed shape reaches `preprocessing_fn` as a `tf.SparseTensor`
    (or a `tf.RaggedTensor`), which most of TensorFlow's functions do not take. A dense feature is
    returned unchanged, so the same code works whether or not the schema says that every row has a
    value. The function consists of TensorFlow's ops, so it becomes part of the serving graph.

    Args:
        feature: A `tf.SparseTensor` or `tf.RaggedTensor` of two dimensions, rows and values, or a
            `tf.Tensor`.
        default: The value for missing ones: a Python value or a scalar tensor, such as
            `tft.mean(feature)`. By default 0, `False` or the empty string.
        values: How many values each row has in the result. Shorter rows are padded at the end.

    Returns:
        A tensor of the feature's dtype and the shape (rows, values); the feature itself if it is dense.

    Raises:
        TypeError: If the feature is not a tensor.
        ValueError: If it has more than two dimensions, or `values` is less than 1.
        tf.errors.InvalidArgumentError: When the graph runs, if a row has more than `values` values.

    Example:
        def preprocessing_fn(inputs):
            age = fill_missing(inputs["age"], 30.0)      # 30.0 where the age is missing
            name = fill_missing(inputs["name"], "unknown")
            return {"age": tft.scale_to_z_score(age), "name": tft.compute_and_apply_vocabulary(name)}
    """
    from penstock.transform.imports import import_tensorflow_transform

    import_tensorflow_transform()
    import tensorflow as tf

    if isinstance(feature, tf.Tensor):
        return feature
    if not isinstance(feature, tf.SparseTensor | tf.RaggedTensor):
        raise TypeError(
            "fill_missing takes a feature: a tf.SparseTensor, tf.RaggedTensor or tf.Tensor. "
            f"Received: {feature!r}"
        )
    if values < 1:
        raise ValueError(f"fill_missing needs values=1 or more. Received: values={values}")
    if feature.shape.rank not in (None, 2):
        raise ValueError(
            "fill_missing takes a feature with two dimensions, rows and values. For more, use "
            f"tft.sparse_tensor_to_dense_with_shape or to_tensor. Received: {feature!r}"
        )
    if default is None:
        default = "" if feature.dtype == tf.string else tf.zeros([], feature.dtype)
    elif isinstance(default, tf.Tensor):
        default = tf.cast(default, feature.dtype)
    with tf.name_scope("fill_missing"):
        if isinstance(feature, tf.RaggedTensor):
            feature = feature.to_sparse()
        most = feature.dense_shape[1]
        fits = tf.debugging.assert_less_equal(
            most,
            tf.constant(values, tf.int64),
            f"fill_missing(..., values={values}): a row has more values than that. Give a larger number "
            "in `values`, or use the feature as a tf.SparseTensor.",
        )
        with tf.control_dependencies([fits] if fits is not None else []):
            shape = tf.stack([feature.dense_shape[0], tf.constant(values, tf.int64)])
        dense = tf.sparse.to_dense(
            tf.SparseTensor(feature.indices, feature.values, shape), default_value=default
        )
    dense.set_shape([None, values])
    return dense
