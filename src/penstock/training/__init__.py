"""Training: FnArgs, datasets, distribution, precision, and export with a serving graph."""

from typing import TYPE_CHECKING

from penstock.lazy_exports import lazy_exports

if TYPE_CHECKING:
    from penstock.training.args import EvalArgs, TrainArgs, TuneArgs
    from penstock.training.callbacks.halve_when_worse import HalveWhenWorse
    from penstock.training.checkpoints.keras_callback import Checkpoints
    from penstock.training.data_accessor import (
        DataAccessor,
        RecordBatchesOptions,
        TensorFlowDatasetOptions,
        create_data_accessor,
    )
    from penstock.training.distribution import configure_devices, create_strategy
    from penstock.training.doctor.callback import TrainingDoctor
    from penstock.training.doctor.finding import TrainingDoctorError
    from penstock.training.embedding_file import embedding_matrix, write_embeddings
    from penstock.training.export import (
        ExportError,
        Onnx,
        TFLite,
        export_estimator,
        export_model,
    )
    from penstock.training.fn_args import FnArgs
    from penstock.training.initial_weights import WarmStart, warm_start
    from penstock.training.input.batches import Batches
    from penstock.training.input.columns import RaggedArray
    from penstock.training.learning_rate_sweep import LearningRateRange, learning_rate_range
    from penstock.training.loop.fit import fit
    from penstock.training.parsing import feature_spec
    from penstock.training.reproducibility import make_reproducible, set_precision
    from penstock.training.transform_graph import load_transform_output
    from penstock.training.user_functions import user_function
    from penstock.training.watch.progress import TrainingProgress
    from penstock.training.watch.tensorboard_log import TensorBoardLog

_MODULE_OF = {
    "Batches": "input.batches",
    "Checkpoints": "checkpoints.keras_callback",
    "DataAccessor": "data_accessor",
    "EvalArgs": "args",
    "ExportError": "export",
    "FnArgs": "fn_args",
    "LearningRateRange": "learning_rate_sweep",
    "HalveWhenWorse": "callbacks.halve_when_worse",
    "Onnx": "export",
    "RaggedArray": "input.columns",
    "RecordBatchesOptions": "data_accessor",
    "TFLite": "export",
    "TensorFlowDatasetOptions": "data_accessor",
    "TrainArgs": "args",
    "TensorBoardLog": "watch.tensorboard_log",
    "TrainingDoctor": "doctor.callback",
    "TrainingDoctorError": "doctor.finding",
    "TrainingProgress": "watch.progress",
    "TuneArgs": "args",
    "WarmStart": "initial_weights",
    "configure_devices": "distribution",
    "create_data_accessor": "data_accessor",
    "create_strategy": "distribution",
    "embedding_matrix": "embedding_file",
    "export_estimator": "export",
    "export_model": "export",
    "feature_spec": "parsing",
    "fit": "loop.fit",
    "learning_rate_range": "learning_rate_sweep",
    "load_transform_output": "transform_graph",
    "make_reproducible": "reproducibility",
    "set_precision": "reproducibility",
    "user_function": "user_functions",
    "warm_start": "initial_weights",
    "write_embeddings": "embedding_file",
}

__all__ = [
    "Batches",
    "Checkpoints",
    "DataAccessor",
    "EvalArgs",
    "ExportError",
    "FnArgs",
    "HalveWhenWorse",
    "LearningRateRange",
    "Onnx",
    "RaggedArray",
    "RecordBatchesOptions",
    "TFLite",
    "TensorBoardLog",
    "TensorFlowDatasetOptions",
    "TrainArgs",
    "TrainingDoctor",
    "TrainingDoctorError",
    "TrainingProgress",
    "TuneArgs",
    "WarmStart",
    "configure_devices",
    "create_data_accessor",
    "create_strategy",
    "embedding_matrix",
    "export_estimator",
    "export_model",
    "feature_spec",
    "fit",
    "learning_rate_range",
    "load_transform_output",
    "make_reproducible",
    "set_precision",
    "user_function",
    "warm_start",
    "write_embeddings",
]

__getattr__, __dir__ = lazy_exports(__name__, _MODULE_OF)
