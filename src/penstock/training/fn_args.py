"""The arguments of `run_fn` and `tuner_fn`: TFX's `FnArgs`, with Penstock's additions."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from penstock.artifacts.standard import DEFAULT_FILE_FORMAT, DEFAULT_PAYLOAD_FORMAT

if TYPE_CHECKING:
    from tensorflow_metadata.proto.v0 import schema_pb2

    from penstock.training.data_accessor import DataAccessor
    from penstock.training.input.batches import Batches


@dataclass
class FnArgs:
    """The arguments of `run_fn(fn_args)` and `tuner_fn(fn_args)`.

    Attributes:
        working_dir: Scratch folder; of a Tuner the folder of its search, where a retry finds the trials
            that had ended.
        train_files: Patterns of the training examples, one per split.
        eval_files: Patterns of the validation examples, one per split.
        train_steps: Training steps, or None when the module decides.
        eval_steps: Validation steps, or None for all.
        schema_path: The schema's file, `schema.pbtxt`; None without a schema.
        schema_file: The same, by its older name.
        transform_graph_path: Folder of the transform graph; None without one.
        transform_output: The same, by its older name.
        data_accessor: Makes datasets of the files.
        file_format: How the files are stored: "tfrecords_gzip", "tfrecords" or "parquet".
        payload_format: What a record of the files is.
        serving_model_dir: Where to export the model for serving.
        eval_model_dir: Where to export a model for evaluation, if there is one.
        model_run_dir: Where TensorBoard logs go.
        base_model: Folder of a model to start from, or None.
        hyperparameters: A Tuner's result, as returned by `HyperParameters.get_config()`, or None.
        custom_config: The pipeline's `custom_config`.
        num_examples: Rows per split, as counted by StatisticsGen; empty if unknown.
        distribution: The Trainer's `distribution`; used by `strategy`.
        backend: Keras's backend: "tensorflow", "jax" or "torch"; it is set already.
        jit_compile: Whether the model is compiled by XLA; None leaves it to Keras.
        global_batch_size: Rows of a step on all replicas together (`TrainArgs.batch_size`); None when
            the module decides.
        eval_batch_size: Rows of a step of validation (`EvalArgs.batch_size`); None when the module decides.
        num_workers: Processes that train together, without parameter servers.
        worker_index: Which of them this one is, from 0.
        is_chief: Whether this process writes the model, checkpoints and logs for all.
        coordinator_address: `host:port` of the process that the others meet at; None for one process.
        tf_config: What `TF_CONFIG` holds, for distributions of TensorFlow over several processes.
        doctor: What the training doctor does about a mistake: "warn", "error" or "off".
        doctor_ignore: Findings that the training doctor keeps to itself, by their codes.
        checkpoint_dir: Folder of this execution's checkpoints; what an attempt that was killed left
            there, its retry or the resumed run finds. None where there is no runner.
        precision: Keras's dtype policy, such as "float32" or "mixed_bfloat16"; it is set already.
        seed: Seed for everything random, or None; it is set already.
        deterministic: Whether equal inputs must give equal weights; it is set already.
    """

    working_dir: str | None = None
    train_files: list[str] = field(default_factory=list)
    eval_files: list[str] = field(default_factory=list)
    train_steps: int | None = None
    eval_steps: int | None = None
    schema_path: str | None = None
    schema_file: str | None = None
    transform_graph_path: str | None = None
    transform_output: str | None = None
    data_accessor: DataAccessor | None = None
    file_format: str = DEFAULT_FILE_FORMAT
    payload_format: str = DEFAULT_PAYLOAD_FORMAT
    serving_model_dir: str | None = None
    eval_model_dir: str | None = None
    model_run_dir: str | None = None
    base_model: str | None = None
    hyperparameters: dict[str, Any] | None = None
    custom_config: Mapping[str, Any] = field(default_factory=dict)
    num_examples: dict[str, int] = field(default_factory=dict)
    distribution: str = "none"
    backend: str = "tensorflow"
    precision: str = "float32"
    jit_compile: bool | None = None
    global_batch_size: int | None = None
    eval_batch_size: int | None = None
    num_workers: int = 1
    worker_index: int = 0
    is_chief: bool = True
    coordinator_address: str | None = None
    tf_config: Mapping[str, Any] | None = None
    doctor: str = "warn"
    doctor_ignore: Sequence[str] = ()
    checkpoint_dir: str | None = None
    seed: int | None = None
    deterministic: bool = False

    @property
    def hyperparameter_values(self) -> dict[str, Any]:
        """The values in `hyperparameters` by name; empty without a Tuner.

        Example:
            >>> units = fn_args.hyperparameter_values.get("units", 16)
        """
        return dict((self.hyperparameters or {}).get("values", {}))

    @property
    def compile_kwargs(self) -> dict[str, Any]:
        """Arguments of Keras's `model.compile` that follow from what the Trainer declares.

        Example:
            >>> model.compile("adam", "mse", **fn_args.compile_kwargs)
        """
        return {} if self.jit_compile is None else {"jit_compile": self.jit_compile}

    @property
    def strategy(self) -> Any:
        """The strategy of `distribution`; build and compile the model in its scope.

        On TensorFlow it is a `tf.distribute.Strategy`. On JAX and PyTorch it has the same `scope()` and
        `num_replicas_in_sync`, and for "data_parallel" `distribution`, Keras's `DataParallel`, which is
        set already.

        Example:
            >>> with fn_args.strategy.scope():
            ...     model = build_model()
        """
        if "_strategy" not in self.__dict__:
            from penstock.training.distribution import create_strategy

            self.__dict__["_strategy"] = create_strategy(self.distribution, self.backend)
        return self.__dict__["_strategy"]

    @property
    def num_replicas(self) -> int:
        """Copies of the model that each take a part of the global batch.

        They are the devices of all processes; under "parameter_server", the workers, each of which
        takes a step of its own.
        """
        if self.distribution == "parameter_server":
            return self.num_workers
        return int(self.strategy.num_replicas_in_sync)

    @property
    def per_replica_batch_size(self) -> int | None:
        """Rows of a step on one replica; None when the module decides about the batch size.

        Raises:
            ValueError: If the global batch does not divide by the replicas.
        """
        from penstock.training.declared import check_batch_size

        if self.global_batch_size is None:
            return None
        check_batch_size(self.global_batch_size, self.num_replicas)
        return self.global_batch_size // self.num_replicas

    def dataset(
        self,
        split_or_splits: str | Sequence[str] = "train",
        *,
        batch_size: int | None = None,
        label_key: str | Sequence[str] | None = None,
        weight_key: str | None = None,
        shuffle: bool | None = None,
        seed: int | None = None,
        drop_remainder: bool | None = None,
        features: Sequence[str] | None = None,
        cache: bool | int | None = None,
        prefetch: bool | None = None,
    ) -> Batches:
        """Return the batches of a split, for `penstock.training.fit` or any loop.

        Args:
            split_or_splits: "train" (all splits in `train_files`), "eval", or both in a list.
            batch_size: Rows of a batch on all replicas together; by default `global_batch_size` for
                "train" and `eval_batch_size` otherwise, or 32.
            label_key: The feature that is the label, or several.
            weight_key: The feature that is the weight of each row.
            shuffle: Whether rows are shuffled, anew in each epoch; by default for "train" alone.
            seed: Seed of the order; by default the Trainer's, or 0.
            drop_remainder: Whether a last batch with fewer rows is left out; by default for "train"
                with a distribution, whose replicas need equal parts.
            features: The features to read; by default all that are neither label nor weight.
            cache: Whether decoded rows stay in memory for the next epochs, or how many bytes of them;
                by default as many as a quarter of the memory that is available. What does not fit is
                read again in each epoch.
            prefetch: Whether a thread reads ahead; by default it does.

        Raises:
            FileNotFoundError: If the split has no files.
            ValueError: If a name is wrong, or an argument has a value that cannot work; or, when the
                batches are read, if a row lacks a dense feature.

        Example:
            >>> train = fn_args.dataset("train", batch_size=32, label_key="species_xf")
            >>> fit(model, train, validation_data=fn_args.dataset("eval", label_key="species_xf"))
        """
        from penstock.training.input.from_fn_args import dataset

        return dataset(
            self,
            split_or_splits,
            batch_size=batch_size,
            label_key=label_key,
            weight_key=weight_key,
            shuffle=shuffle,
            seed=seed,
            drop_remainder=drop_remainder,
            features=features,
            cache=cache,
            prefetch=prefetch,
        )

    @property
    def schema(self) -> schema_pb2.Schema:
        """The schema of the examples: of the transformed ones, if they are transformed.

        It is read without TensorFlow.

        Raises:
            ValueError: If there is neither a transform graph nor a schema.
        """
        from penstock.training.input.schema_of_examples import schema_of_examples

        return schema_of_examples(self)

    def vocabulary(self, name: str) -> list[str]:
        """Return the words of a vocabulary of the transform graph, in the order of their indices.

        Args:
            name: The `vocab_filename` that `preprocessing_fn` gave it.

        Raises:
            ValueError: If there is no such vocabulary, or no transform graph.

        Example:
            >>> fn_args.vocabulary("species")
            ['Adelie', 'Gentoo', 'Chinstrap']
        """
        from penstock.training.transform_facts import vocabulary

        return vocabulary(self._transform_graph(), name)

    def vocabulary_size(self, name: str) -> int:
        """Return the number of words of a vocabulary; see `vocabulary`."""
        from penstock.training.transform_facts import vocabulary_size

        return vocabulary_size(self._transform_graph(), name)

    def _transform_graph(self) -> str:
        if self.transform_graph_path is None:
            raise ValueError(
                "Vocabularies are in a transform graph. Give one: Trainer(transform_graph=...)."
            )
        return self.transform_graph_path
