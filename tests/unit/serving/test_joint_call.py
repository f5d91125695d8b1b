"""Signatures and features from one parse: what each signature says by itself."""

import numpy as np
import pyarrow as pa
import pytest

from penstock.io import serialize_examples

pytestmark = pytest.mark.tensorflow

COLUMNS = {
    "x": (pa.float32(), [[1.5], [2.0], [-3.0]]),
    "kind": (pa.binary(), [[b"a"], None, [b"c"]]),
    "tags": (pa.binary(), [[b"r", b"s"], [], [b"t"]]),
    "day": (pa.int64(), [[3], None, [1, 2]]),
    "size": (pa.int64(), [[7], [8], [9]]),
}


@pytest.fixture(scope="module")
def examples():
    import tensorflow as tf

    arrays = [pa.array(values, pa.large_list(kind)) for kind, values in COLUMNS.values()]
    batch = pa.RecordBatch.from_arrays(arrays, list(COLUMNS))
    return tf.constant(serialize_examples(batch, missing="absent").to_pylist())


@pytest.fixture(scope="module")
def signatures(tmp_path_factory):
    """Signatures that read some of the same features, one with a table and a variable."""
    import tensorflow as tf

    module = tf.Module()
    module.weight = tf.Variable(2.0)
    module.table = tf.lookup.StaticHashTable(
        tf.lookup.KeyValueTensorInitializer(["a", "b"], tf.constant([1, 2], tf.int64)), -1
    )
    x = {"x": tf.io.FixedLenFeature([1], tf.float32)}
    kind = {"kind": tf.io.FixedLenFeature([], tf.string, default_value="none")}
    tags = {"tags": tf.io.VarLenFeature(tf.string)}

    def made(function):
        return tf.function(
            function, input_signature=[tf.TensorSpec([None], tf.string, name="examples")]
        ).get_concrete_function()

    def serve(examples):
        row = tf.io.parse_example(examples, {**x, **kind})
        return {"double": row["x"] * module.weight, "index": module.table.lookup(row["kind"])}

    def transform(examples):
        row = tf.io.parse_example(examples, {**x, **tags})
        counts = tf.math.bincount(
            tf.cast(row["tags"].indices[:, 0], tf.int32), minlength=tf.shape(row["x"])[0]
        )
        return {"counts": counts, "negative": row["x"] < 0}

    def other_default(examples):
        row = tf.io.parse_example(
            examples, {"kind": tf.io.FixedLenFeature([], tf.string, default_value="?")}
        )
        return {"kind": row["kind"]}

    def loop(examples):
        row = tf.io.parse_example(examples, x)
        _, x_and_3 = tf.while_loop(
            lambda i, _: i < 3, lambda i, v: (i + 1, v + 1), (tf.constant(0), row["x"])
        )
        return {"x": x_and_3}

    path = str(tmp_path_factory.mktemp("model"))
    functions = (serve, transform, other_default, loop)
    tf.saved_model.save(module, path, {f.__name__: made(f) for f in functions})
    loaded = tf.saved_model.load(path)
    return loaded.signatures, loaded


def joint(signatures, names, features=(), **only):
    from penstock.serving.joint_call import AskedSignature, JointCall

    asked = [AskedSignature(signatures[0][name], only.get(name)) for name in names]
    return JointCall(asked, {name: COLUMNS[name][0] for name in features})


def parsers(call) -> int:
    """Return how many parsers the outputs of a joint call depend on."""
    graph = call._function.get_concrete_function().graph
    nodes = {op.name: op for op in graph.get_operations()}
    waiting = [tensor.op for tensor in graph.outputs]
    seen = set()
    while waiting:
        op = waiting.pop()
        if op.name not in seen:
            seen.add(op.name)
            waiting += [tensor.op for tensor in op.inputs] + list(op.control_inputs)
    return sum(nodes[name].type == "ParseExampleV2" for name in seen)


def test_signatures_say_what_each_says_by_itself(signatures, examples):
    call = joint(signatures, ["serve", "transform"])
    found, _ = call(examples)
    for name, outputs in zip(["serve", "transform"], found, strict=True):
        expected = signatures[0][name](examples=examples)
        assert set(outputs) == set(expected)
        for key, value in outputs.items():
            np.testing.assert_array_equal(value, expected[key].numpy())
    assert parsers(call) == 1


def test_only_what_is_wanted_comes_back(signatures, examples):
    (serve, transform), _ = joint(
        signatures, ["serve", "transform"], serve=["index"], transform=["counts"]
    )(examples)
    assert list(serve) == ["index"]
    assert serve["index"].tolist() == [1, -1, -1]
    assert transform["counts"].tolist() == [2, 0, 1]


def test_features_come_as_lists(signatures, examples):
    # Sparse, required, new, and one whose default would hide what is missing.
    features = ["tags", "x", "day", "kind"]
    call = joint(signatures, ["serve", "transform"], features)
    _, columns = call(examples)
    for name in features:
        assert columns[name].to_pylist() == [values or [] for values in COLUMNS[name][1]]
    assert parsers(call) == 2


def test_signatures_that_read_a_feature_differently_keep_their_parsers(signatures, examples):
    call = joint(signatures, ["serve", "other_default"], ["size"])
    (serve, other), columns = call(examples)
    assert serve["index"].tolist() == [1, -1, -1]
    assert other["kind"].tolist() == [b"a", b"?", b"c"]
    assert columns["size"].to_pylist() == [[7], [8], [9]]
    assert parsers(call) == 2


def test_a_variable_that_changes_is_seen(signatures, examples):
    call = joint(signatures, ["serve", "transform"])
    call(examples)
    signatures[1].weight.assign(3.0)
    assert call(examples)[0][0]["double"].tolist() == [[4.5], [6.0], [-9.0]]
    signatures[1].weight.assign(2.0)


@pytest.mark.parametrize(
    ("names", "why"), [(["serve"], "parsed twice"), (["serve", "loop"], "loops")]
)
def test_what_cannot_be_joined_is_told(signatures, names, why):
    from penstock.serving.joint_call import NotJoinable

    with pytest.raises(NotJoinable, match=why):
        joint(signatures, names)


def test_a_missing_feature_is_an_error_of_tensorflow(signatures):
    import tensorflow as tf

    batch = pa.RecordBatch.from_arrays([pa.array([[b"a"]], pa.large_list(pa.binary()))], ["kind"])
    call = joint(signatures, ["serve", "transform"])
    with pytest.raises(tf.errors.InvalidArgumentError, match="x"):
        call(tf.constant(serialize_examples(batch).to_pylist()))
