"""The features, model and steps of TFX's penguin example, for a fair comparison with it."""

import keras
import tensorflow_transform as tft

from penstock.training import FnArgs, export_model, fit, load_transform_output

FEATURES = ("culmen_length_mm", "culmen_depth_mm", "flipper_length_mm", "body_mass_g")
LABEL = "species"


def preprocessing_fn(inputs):
    outputs = {f"{name}_xf": tft.scale_to_z_score(inputs[name]) for name in FEATURES}
    outputs[f"{LABEL}_xf"] = inputs[LABEL]
    return outputs


def run_fn(fn_args: FnArgs) -> None:
    tft_output = load_transform_output(fn_args.transform_graph_path)
    inputs = {f"{name}_xf": keras.Input((1,), name=f"{name}_xf") for name in FEATURES}
    hidden = keras.layers.concatenate(list(inputs.values()))
    for _ in range(2):
        hidden = keras.layers.Dense(8, activation="relu")(hidden)
    model = keras.Model(inputs, keras.layers.Dense(3)(hidden))
    model.compile(
        optimizer=keras.optimizers.Adam(1e-2),
        loss=keras.losses.SparseCategoricalCrossentropy(from_logits=True),
        metrics=[keras.metrics.SparseCategoricalAccuracy()],
    )
    fit(
        model,
        fn_args.dataset("train", batch_size=20, label_key=f"{LABEL}_xf"),
        validation_data=fn_args.dataset("eval", batch_size=10, label_key=f"{LABEL}_xf"),
        fn_args=fn_args,
        steps_per_epoch=fn_args.train_steps,
        validation_steps=fn_args.eval_steps,
    )
    export_model(model, fn_args.serving_model_dir, transform_output=tft_output, label_key=LABEL)


__all__ = ["preprocessing_fn", "run_fn"]
