"""Optional features: filling them, and what is said when they are used as dense ones."""

from __future__ import annotations

import traceback

import pytest

from penstock.io import read_record_batches, split_files
from penstock.transform import fill_missing

pytestmark = pytest.mark.tensorflow

OPTIONAL = {"x": "FLOAT?", "word": "BYTES?", "y": "FLOAT"}


@pytest.fixture
def data(data_set):
    rows = {"x": [1.0, None, 4.0], "word": [None, "b", "c"], "y": [1.0, 2.0, 3.0]}
    return data_set(OPTIONAL, train=rows)


def columns(tmp_path, name="out"):
    (batch,) = read_record_batches(split_files(str(tmp_path / name / "examples"), "train"))
    return {column: batch.column(column).flatten().to_pylist() for column in batch.schema.names}


def test_missing_values_are_filled_before_and_after_analysis(data, run, tmp_path):
    import tensorflow as tf
    import tensorflow_transform as tft

    def fn(inputs):
        x = inputs["x"]
        return {
            "zero": fill_missing(x),
            "mean": fill_missing(x, tft.mean(x)),
            "scaled": tft.scale_to_0_1(fill_missing(x, -1.0)),
            "word": tft.compute_and_apply_vocabulary(fill_missing(inputs["word"], "none")),
            "empty": fill_missing(inputs["word"]),
            "two": tf.strings.as_string(fill_missing(inputs["x"], 9, values=2)),
            "dense": fill_missing(inputs["y"]),
        }

    result = run(data, fn, updated_cache=str(tmp_path / "cache"))
    assert columns(tmp_path) == {
        "zero": [1.0, 0.0, 4.0],
        "mean": [1.0, 2.5, 4.0],
        "scaled": [pytest.approx(0.4), 0.0, 1.0],
        "word": [0, 2, 1],
        "empty": [b"", b"b", b"c"],
        "two": [b"1.000000", b"9.000000"] + [b"9.000000"] * 2 + [b"4.000000", b"9.000000"],
        "dense": [1.0, 2.0, 3.0],
    }
    shapes = {
        each.name: [dim.size for dim in each.shape.dim]
        for each in result.transformed_schema.feature
    }
    assert (shapes["zero"], shapes["two"]) == ([1], [2])
    again = run(data, fn, "again", earlier_caches=[str(tmp_path / "cache")])
    assert again.rows_analyzed == {}
    assert columns(tmp_path, "again") == columns(tmp_path)


def test_ragged_feature():
    import tensorflow as tf

    ragged = tf.ragged.constant([[1, 2], [], [3]], dtype=tf.int64)
    filled = fill_missing(ragged, -1, values=2)
    assert filled.numpy().tolist() == [[1, 2], [-1, -1], [3, -1]]


def test_row_with_more_values_than_expected(data_set, run):
    data = data_set(OPTIONAL, train={"x": [[1.0, 2.0]], "word": ["a"], "y": [1.0]})
    with pytest.raises(Exception, match=r"values=1\): a row has more values than that"):
        run(data, lambda inputs: {"x": fill_missing(inputs["x"])})


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (([1.0],), r"takes a feature: a tf.SparseTensor.* Received: \[1.0\]"),
        ((None, 0.0, 0), "values=1 or more. Received: values=0"),
        ((3, 0.0), "has more than two|with two dimensions, rows and values"),
    ],
)
def test_arguments(arguments, expected):
    import tensorflow as tf

    feature, *rest = arguments
    if feature in (None, 3):
        feature = tf.sparse.from_dense(tf.zeros([2] * (feature or 2)))
    with pytest.raises((TypeError, ValueError), match=expected):
        fill_missing(feature, *rest[:1], **({"values": rest[1]} if rest[1:] else {}))


def use(expression):
    """A `preprocessing_fn` whose one line is an expression over `x`, `word`, `y`, and derived `z`."""

    def fn(inputs):
        import tensorflow as tf
        import tensorflow_transform as tft

        return {"out": expression(inputs, tf, tft)}

    return fn


@pytest.mark.parametrize(
    ("expression", "feature", "default"),
    [
        (lambda i, tf, tft: i["x"] + 1.0, "x", "0.0"),
        (lambda i, tf, tft: 1.0 - i["x"], "x", "0.0"),
        (lambda i, tf, tft: tf.math.log(i["x"]), "x", "0.0"),
        (lambda i, tf, tft: tf.where(i["x"] > 0, 1.0, 0.0), "x", "0.0"),
        (lambda i, tf, tft: tf.concat([i["y"], i["x"]], 1), "x", "0.0"),
        (lambda i, tf, tft: i["x"][:, 0], "x", "0.0"),
        (lambda i, tf, tft: next(iter(i["x"])), "x", "0.0"),
        (lambda i, tf, tft: tft.scale_to_z_score(i["x"]) * 2 + i["y"], "x", "0.0"),
        (lambda i, tf, tft: tf.strings.lower(i["word"]), "word", '""'),
        (lambda i, tf, tft: tf.equal(i["word"], "a"), "word", '""'),
        (
            lambda i, tf, tft: tf.one_hot(tft.compute_and_apply_vocabulary(i["word"]), 3),
            "word",
            '""',
        ),
    ],
)
def test_message_names_the_optional_feature_and_the_line(data, run, expression, feature, default):
    with pytest.raises(TypeError, match=f"the optional feature '{feature}' is used as") as failure:
        run(data, use(expression))
    line = expression.__code__.co_firstlineno
    message = str(failure.value)
    assert message.startswith(f"test_missing_values.py, line {line}: the optional feature")
    assert f'fill_missing(inputs["{feature}"], {default})  # a tf.Tensor of shape' in message
    assert "SchemaGen(infer_feature_shape=True)" in message
    last = traceback.extract_tb(failure.value.__traceback__)[-1]
    assert (last.filename, last.lineno) == (__file__, line)
    assert "preprocessing_fn received these features:" in failure.value.__notes__[0]
    assert failure.value.__cause__ is not None


def test_other_errors_stay_what_they_are(data, run):
    def fn(inputs):
        return {"x": inputs["y"] + int("seven")}

    with pytest.raises(ValueError, match="invalid literal") as failure:
        run(data, fn)
    assert "optional" not in str(failure.value)


def test_comparison_that_gives_a_bool(data, run):
    with pytest.raises(TypeError, match=r"'x' is bool.*Comparing an optional feature"):
        run(data, lambda inputs: {"x": inputs["word"] == "a"})
