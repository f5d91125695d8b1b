"""Trains the deep model of TFX's taxi example for a moment, and exports it with its transform graph."""

from __future__ import annotations

import sys
from pathlib import Path

from penstock.training import FnArgs, export_model

sys.path.insert(0, str(Path(__file__).parent))
from training_input import LABEL, taxi_model

BATCH = 512


def run_fn(fn_args: FnArgs) -> None:
    """Train for the steps that the Trainer names, and export the model."""
    model = taxi_model()
    train = fn_args.dataset("train", batch_size=BATCH, label_key=LABEL)
    steps = fn_args.train_steps
    model.fit(train.repeat().as_tf_dataset(0), steps_per_epoch=steps, shuffle=False, verbose=0)
    export_model(
        model,
        fn_args.serving_model_dir,
        transform_output=fn_args.transform_graph_path,
        label_key="tips",
        forms=[],
    )
