import warnings
from types import SimpleNamespace

import pytest

from penstock.training import (
    RecordBatchesOptions,
    TensorFlowDatasetOptions,
    create_data_accessor,
    load_transform_output,
)

pytestmark = pytest.mark.tensorflow


@pytest.fixture(scope="module")
def schema(data):
    return load_transform_output(data.graph).transformed_metadata.schema


def batches(data, schema, **options):
    options = TensorFlowDatasetOptions(**{"batch_size": 16, "num_epochs": 1, **options})
    return create_data_accessor().tf_dataset_factory(data.transformed, options, schema)


def test_features_are_parsed_and_the_label_is_set_apart(data, schema):
    features, label = next(iter(batches(data, schema, shuffle=False, label_key="label_xf")))
    assert set(features) == {"x_xf", "kind_xf"}
    assert features["x_xf"].shape == (16, 1)
    assert label.numpy()[:, 0].tolist() == [0] * 16
    assert features["kind_xf"].numpy()[:3, 0].tolist() == [0, 1, 2]


def test_every_row_comes_once_an_epoch(data, schema):
    seen = [x for b in batches(data, schema) for x in b["x_xf"].numpy()[:, 0].tolist()]
    assert len(seen) == len(set(seen)) == 50
    assert seen != sorted(seen)


def test_the_seed_settles_the_order(data, schema):
    def order(seed):
        dataset = batches(data, schema, shuffle_seed=seed, num_epochs=2)
        return [x for b in dataset for x in b["x_xf"].numpy()[:, 0].tolist()]

    assert order(1) == order(1) != order(2)


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ({}, 4),
        ({"drop_final_batch": True}, 3),
        ({"num_epochs": 2}, 7),
        ({"num_epochs": None}, -1),
    ],
)
def test_the_length_is_known(data, schema, options, expected):
    dataset = batches(data, schema, **options)
    assert int(dataset.cardinality()) == expected
    if expected > 0:
        assert sum(1 for _ in dataset) == expected


def test_tfx_bsls_options_are_taken(data, schema):
    given = SimpleNamespace(batch_size=50, num_epochs=1, shuffle=False, label_key=None)
    (batch,) = create_data_accessor().tf_dataset_factory(data.transformed, given, schema)
    assert batch["x_xf"].shape == (50, 1)


def test_record_batches(data, schema):
    options = RecordBatchesOptions(batch_size=20, drop_final_batch=True, num_epochs=2)
    found = create_data_accessor().record_batch_factory([data.transformed], options, schema)
    assert [batch.num_rows for batch in found] == [20, 20, 20, 20]


def test_parquet_gives_the_same_rows(data, schema, tmp_path):
    from penstock.io import ExamplesWriter, read_record_batches, split_files

    with ExamplesWriter(str(tmp_path), ["train"], file_format="parquet") as writer:
        for batch in read_record_batches(split_files(f"{data.root}/transformed", "train")):
            writer.write("train", batch)
    factory = create_data_accessor("parquet").tf_dataset_factory
    options = TensorFlowDatasetOptions(64, num_epochs=1, shuffle=False)
    (found,) = factory(f"{tmp_path}/Split-train/*", options, schema)
    (expected,) = create_data_accessor().tf_dataset_factory(data.transformed, options, schema)
    for name in expected:
        assert found[name].numpy().tolist() == expected[name].numpy().tolist()


def test_keras_does_not_warn_of_a_dataset_that_ends(data, schema):
    import keras

    inputs = {"x_xf": keras.Input((1,), name="x_xf")}
    model = keras.Model(inputs, keras.layers.Dense(1)(inputs["x_xf"]))
    model.compile(loss="mse")
    train = batches(data, schema, num_epochs=None, label_key="label_xf")
    validation = batches(data, schema, shuffle=False, label_key="label_xf")
    train = train.map(lambda features, label: ({"x_xf": features["x_xf"]}, label))
    validation = validation.map(lambda features, label: ({"x_xf": features["x_xf"]}, label))
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always", UserWarning)
        model.fit(
            train, epochs=2, steps_per_epoch=2, validation_data=validation, verbose=0, shuffle=False
        )
    assert not [w for w in caught if "ran out of data" in str(w.message)]


def test_what_is_missing_is_named(data, schema):
    with pytest.raises(
        ValueError, match="label_key='lable' is not a feature of the schema. Features: kind_xf"
    ):
        batches(data, schema, label_key="lable")
    factory = create_data_accessor().tf_dataset_factory
    with pytest.raises(FileNotFoundError, match=r"No file matches '/nowhere/\*'"):
        factory("/nowhere/*", TensorFlowDatasetOptions(1), schema)
    with pytest.raises(ValueError, match="needs a schema"):
        factory(data.transformed, TensorFlowDatasetOptions(1))
    with pytest.raises(TypeError, match="Received: dict"):
        factory(data.transformed, {"batch_size": 1}, schema)
    factory = create_data_accessor(payload_format="FORMAT_PROTO").tf_dataset_factory
    with pytest.raises(ValueError, match="Received: payload_format='FORMAT_PROTO'"):
        factory(data.transformed, TensorFlowDatasetOptions(1), schema)
