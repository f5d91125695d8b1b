"""Each mistake that is seen before the first batch: one case that fires, and the same put right."""

import numpy as np
import pytest

from penstock.training.doctor import CODES, examine

pytestmark = pytest.mark.tensorflow


def batches(*arrays, size=50):
    rows = len(arrays[0])
    return [tuple(each[i : i + size] for each in arrays) for i in range(0, rows, size)]


def with_column(x, column, values):
    changed = x.copy()
    changed[:, column] = values
    return changed


@pytest.fixture(scope="module")
def cases(model, train, other):
    """Return, by code, a case that fires, one that does not, and the subject that is named."""
    import keras

    def binary_logits(from_logits):
        return keras.losses.BinaryCrossentropy(from_logits=from_logits)

    def sparse(units=3, activation="softmax"):
        return model(units, activation, "sparse_categorical_crossentropy")

    def twice(activation):
        made = keras.Sequential(
            [
                keras.Input((4,)),
                keras.layers.Dense(3, activation, name="scores"),
                keras.layers.Softmax(name="shares"),
            ]
        )
        made.compile("adam", "sparse_categorical_crossentropy")
        return made

    class Logarithm(keras.layers.Layer):
        def __init__(self, least):
            super().__init__(name="logarithm")
            self.least = least

        def call(self, x):
            return keras.ops.log(keras.ops.maximum(x, self.least))

    def logarithm(least):
        made = keras.Sequential([keras.Input((4,)), Logarithm(least), keras.layers.Dense(1)])
        made.compile("adam", "mse")
        return made

    def case(made, y, x=train.x, y_other=None, **more):
        new = np.zeros_like(y[:200]) + y[:200] if y_other is None else y_other
        return {"model": made, "data": (x, y), "validation_data": (other.x, new), **more}

    def in_order(order, **more):
        data = batches(train.x[order], train.index[order])
        return {**case(sparse(), train.index), "data": data, **more}

    nan = with_column(train.x, 2, np.where(np.arange(len(train.x)) == 7, np.nan, train.x[:, 2]))
    grams = with_column(train.x, 1, 4000 + 500 * train.x[:, 1])
    leaked = (train.x[:200], train.index[:200])
    shuffled, by_label = np.arange(len(train.x)), np.argsort(train.index)
    return {
        "loss-expects-logits": (
            case(model(loss=binary_logits(True)), train.binary),
            case(model(activation=None, loss=binary_logits(True)), train.binary),
            "layer 'head'",
        ),
        "loss-expects-probabilities": (
            case(model(activation=None), train.binary),
            case(model(), train.binary),
            "layer 'head'",
        ),
        "softmax-twice": (
            case(twice("softmax"), train.index),
            case(twice(None), train.index),
            "layer 'shares'",
        ),
        "one-unit-for-classes": (
            case(sparse(1, "sigmoid"), train.binary),
            case(sparse(2), train.binary.astype("int64")),
            "layer 'head'",
        ),
        "binary-loss-for-classes": (
            case(model(3, "softmax"), train.one_hot),
            case(model(3, "sigmoid"), train.one_hot),
            "layer 'head'",
        ),
        "sigmoid-for-classes": (
            case(model(3, "sigmoid", "categorical_crossentropy"), train.one_hot),
            case(model(3, "softmax", "categorical_crossentropy"), train.one_hot),
            "layer 'head'",
        ),
        "head-out-of-reach": (
            case(model(1, "sigmoid", "mse"), train.number),
            case(model(1, None, "mse"), train.number),
            "layer 'head'",
        ),
        "one-hot-labels": (
            case(sparse(), train.one_hot),
            case(sparse(), train.index),
            "labels",
        ),
        "class-indices": (
            case(model(3, "softmax", "categorical_crossentropy"), train.index),
            case(model(3, "softmax", "categorical_crossentropy"), train.one_hot),
            "labels",
        ),
        "label-shape": (
            case(model(1, None, "mse"), train.one_hot),
            case(model(3, None, "mse"), train.one_hot),
            "labels",
        ),
        "label-type": (
            case(sparse(), np.array(["a", "b", "c"])[train.index]),
            case(sparse(), train.index),
            "labels",
        ),
        "labels-out-of-range": (
            case(sparse(), train.index + 1),
            case(sparse(4), train.index + 1),
            "labels",
        ),
        "unused-classes": (
            case(sparse(12), train.index),
            case(sparse(4), train.index),
            "layer 'head'",
        ),
        "constant-labels": (
            case(model(), np.ones_like(train.binary)),
            case(model(), train.binary),
            "labels",
        ),
        "constant-feature": (
            case(model(), train.binary, with_column(train.x, 2, 7.0)),
            case(model(), train.binary, with_column(train.x, 2, 1.0)),
            "column 2 of feature 'x'",
        ),
        "unnormalized-input": (
            case(model(), train.binary, grams),
            case(model(), train.binary, with_column(train.x, 1, 20 + train.x[:, 1])),
            "column 1 of feature 'x'",
        ),
        "unshuffled-data": (in_order(by_label), in_order(shuffled), "labels"),
        "no-validation-data": (
            {**case(sparse(), train.index), "validation_data": None},
            case(sparse(), train.index),
            "validation_data",
        ),
        "eval-rows-in-train": (
            {**case(sparse(), train.index), "validation_data": leaked},
            case(sparse(), train.index),
            "validation_data",
        ),
        "less-than-one-epoch": (
            in_order(shuffled, epochs=2, steps_per_epoch=5),
            in_order(shuffled, epochs=3, steps_per_epoch=5),
            "steps_per_epoch",
        ),
        "non-finite-input": (
            case(model(), train.binary, nan),
            case(model(), train.binary),
            "feature 'x'",
        ),
        "non-finite-layer": (
            case(logarithm(0.0), train.number),
            case(logarithm(0.1), train.number),
            "layer 'logarithm'",
        ),
    }


BEFORE = sorted(
    CODES.keys()
    - {"softmax-of-one-unit", "loss-explodes", "dead-units", "vanishing-gradients"}
    - {"non-finite-loss", "non-finite-gradient"}
)


@pytest.mark.parametrize("code", BEFORE)
def test_a_mistake_is_found_and_named_and_its_remedy_is_none(cases, code):
    wrong, right, subject = cases[code]
    (finding,) = examine(**wrong)
    assert (finding.code, finding.subject) == (code, subject)
    assert examine(**right) == []


@pytest.mark.filterwarnings("ignore:You are using a softmax over axis")
def test_softmax_of_one_unit(model, train, other):
    (finding,) = examine(
        model(1, "softmax"), (train.x, train.binary), validation_data=(other.x, other.binary)
    )
    assert finding.code == "softmax-of-one-unit"
    assert "always 1" in finding.message


def test_every_case_is_of_a_code(cases):
    assert sorted(cases) == BEFORE


def test_a_softmax_outside_of_layers_is_seen_by_its_numbers(train, other):
    import keras

    class Subclassed(keras.Model):
        def __init__(self):
            super().__init__()
            self.scores = keras.layers.Dense(3)

        def call(self, x):
            return keras.ops.softmax(self.scores(x))

    made = Subclassed()
    made.compile("adam", keras.losses.SparseCategoricalCrossentropy(from_logits=True))
    data, validation = (train.x, train.index), (other.x, other.index)
    (finding,) = examine(made, data, validation_data=validation)
    assert (finding.code, finding.subject) == ("loss-expects-logits", "the model's output")


def test_of_several_outputs_the_right_one_is_named(train, other):
    import keras

    inputs = keras.Input((4,))
    outputs = {
        "kind": keras.layers.Dense(3, "softmax", name="kind")(inputs),
        "size": keras.layers.Dense(1, "relu", name="size")(inputs),
    }
    made = keras.Model(inputs, outputs)
    made.compile("adam", {"kind": "sparse_categorical_crossentropy", "size": "mse"})
    found = examine(
        made,
        (train.x, {"kind": train.index + 1, "size": train.number}),
        validation_data=(other.x, {"kind": other.index, "size": other.number}),
    )
    assert [(each.code, each.subject) for each in found] == [
        ("head-out-of-reach", "layer 'size'"),
        ("labels-out-of-range", "labels of 'kind'"),
    ]


def test_features_by_name_are_found_behind_a_concatenation(train, other):
    import keras

    def columns(data, scale):
        return {name: scale[name] * data.x[:, i : i + 1] for i, name in enumerate("abcd")}

    def made(*before):
        inputs = {name: keras.Input((1,), name=name) for name in "abcd"}
        hidden = keras.layers.Concatenate()(list(inputs.values()))
        for layer in before:
            hidden = layer(hidden)
        result = keras.Model(inputs, keras.layers.Dense(1, "sigmoid", name="head")(hidden))
        result.compile("adam", "binary_crossentropy")
        return result

    scale = {"a": 1.0, "b": 1.0, "c": 300.0, "d": 1.0}
    data, validation = (columns(train, scale), train.binary), (columns(other, scale), other.binary)
    (finding,) = examine(made(), data, validation_data=validation)
    assert (finding.code, finding.subject) == ("unnormalized-input", "feature 'c'")
    assert "layer 'head'" in finding.message
    normalized = made(keras.layers.BatchNormalization(), keras.layers.Rescaling(0.1))
    assert examine(normalized, data, validation_data=validation) == []


def test_pixels_that_a_rescaling_takes_are_no_mistake(other):
    import keras

    def made(*first):
        result = keras.Sequential(
            [
                keras.Input((6, 6, 1)),
                *first,
                keras.layers.Conv2D(2, 3),
                keras.layers.Flatten(),
                keras.layers.Dense(1),
            ]
        )
        result.compile("adam", "mse")
        return result

    generator = np.random.default_rng(0)
    images = generator.integers(0, 256, size=(300, 6, 6, 1)).astype("uint8")
    data = images, images.mean(axis=(1, 2)) / 255
    validation = images[::-1] // 2, data[1]
    (finding,) = examine(made(), data, validation_data=validation)
    assert finding.code == "unnormalized-input"
    assert examine(made(keras.layers.Rescaling(1 / 255)), data, validation_data=validation) == []


def test_a_model_that_handles_missing_numbers_gets_no_warning(train, other):
    import keras

    class FillMissing(keras.layers.Layer):
        def call(self, x):
            return keras.ops.where(keras.ops.isnan(x), 0.0, x)

    made = keras.Sequential([keras.Input((4,)), FillMissing(), keras.layers.Dense(1, "sigmoid")])
    made.compile("adam", "binary_crossentropy")
    x = with_column(train.x, 0, np.where(train.x[:, 0] > 1, np.nan, train.x[:, 0]))
    assert examine(made, (x, train.binary), validation_data=(other.x, other.binary)) == []


def test_rows_that_are_equal_by_chance_are_not_shared_rows(model):
    # 32 different rows, as often in one split as in the other.
    generator = np.random.default_rng(0)
    x = generator.integers(0, 2, size=(3000, 4)).astype("float32")
    y = generator.integers(0, 2, size=(3000, 1)).astype("float32")
    found = examine(model(), (x[:2000], y[:2000]), validation_data=(x[2000:], y[2000:]))
    assert found == []


def test_labels_that_the_loss_leaves_out_may_be_out_of_range(model, train, other):
    import keras

    loss = keras.losses.SparseCategoricalCrossentropy(ignore_class=-1)
    y = np.where(train.index == 2, -1, train.index)
    data, validation = (train.x, y), (other.x, other.index)
    assert examine(model(3, "softmax", loss), data, validation_data=validation) == []


def test_a_loss_of_the_users_own_is_not_judged(model, train, other):
    def loss(y, prediction):
        return abs(y - prediction)

    data, validation = (train.x, 5 + train.binary), (other.x, other.binary)
    assert examine(model(loss=loss), data, validation_data=validation) == []


def test_what_is_ignored_is_left_out_and_must_exist(model, train):
    data = train.x, train.binary
    assert examine(model(), data, ignore=["no-validation-data"]) == []
    with pytest.raises(ValueError, match="Did you mean 'no-validation-data'"):
        examine(model(), data, ignore=["no-validation"])


def test_the_number_of_rows_comes_from_statistics_where_the_data_has_no_end(model, train):
    import tensorflow as tf

    from penstock.training import FnArgs

    endless = tf.data.Dataset.from_tensor_slices((train.x, train.binary)).repeat().batch(50)
    fn_args = FnArgs(
        train_files=["/data/Split-train/*"], num_examples={"train": 100_000, "eval": 50_000}
    )
    plan = {"epochs": 2, "steps_per_epoch": 100, "ignore": ["no-validation-data"]}
    (finding,) = examine(model(), endless, fn_args=fn_args, **plan)
    assert finding.code == "less-than-one-epoch"
    assert "200 steps of 50 rows are 10,000 rows, but there are 100,000" in finding.message
