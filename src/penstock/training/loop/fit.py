"""`fit`: trains a Keras model, resumable, on any backend and under any distribution."""

from __future__ import annotations

import secrets
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

from penstock.training.fn_args import FnArgs

if TYPE_CHECKING:
    import keras

    from penstock.training.checkpoints.checkpointing import Checkpointing
    from penstock.training.loop.sources import Source
    from penstock.training.loop.step import Step
    from penstock.training.loop.training_loop import Plan


def fit(
    model: keras.Model,
    data: Any,
    *,
    fn_args: FnArgs | None = None,
    validation_data: Any = None,
    epochs: int = 1,
    steps_per_epoch: int | None = None,
    validation_steps: int | None = None,
    validation_freq: int = 1,
    batch_size: int | None = None,
    shuffle: bool = True,
    callbacks: Iterable[keras.callbacks.Callback] = (),
    class_weight: Mapping[int, float] | None = None,
    gradient_accumulation_steps: int | None = None,
    checkpoint_every: int | str | None = None,
    doctor: str | None = None,
    verbose: int = 0,
) -> keras.callbacks.History:
    """Train a compiled Keras model, as Keras's `fit` does, from where a killed training stopped.

    It takes Keras's callbacks, metrics, losses and optimizers, and gives the same weights and history
    as `model.fit` on the same batches. With `fn_args` it also writes checkpoints, from which a retry
    or a resumed run goes on, shows its progress, writes TensorBoard's files to
    `fn_args.model_run_dir`, and trains under the Trainer's distribution.

    Args:
        model: The compiled model, created in `fn_args.strategy.scope()`.
        data: `fn_args.dataset(...)`, a `tf.data.Dataset` of batches, arrays (x, y) or (x, y, sample
            weights), a `keras.utils.PyDataset` or a generator. A killed training continues at once
            in `fn_args.dataset(...)` and arrays; other data are read up to the place again.
        fn_args: The argument of `run_fn`; without it `fit` is a plain function.
        validation_data: The same for validation, at the end of each epoch.
        epochs: Epochs to train.
        steps_per_epoch: Steps of an epoch; None is one pass over the data. Data that end within an
            epoch start again.
        validation_steps: Steps of a validation; None is one pass.
        validation_freq: Epochs from one validation to the next.
        batch_size: Rows of a step on all replicas together, for arrays;
            `fn_args.global_batch_size` or 32 if None.
        shuffle: Whether the rows of arrays are shuffled, anew in each epoch.
        callbacks: Keras's callbacks. The state of EarlyStopping, ReduceLROnPlateau and
            ModelCheckpoint is kept in checkpoints, and that of others which have `get_state()` and
            `set_state(state)`.
        class_weight: Weight of each class in the loss.
        gradient_accumulation_steps: Steps whose gradients are averaged for one update.
        checkpoint_every: A number of steps, or "epoch". None is every epoch and every 30 seconds in
            it, as long as it takes less than 2 % of the time.
        doctor: Whether classic mistakes are warnings ("warn"), errors ("error") or not looked for
            ("off"); see `penstock.training.doctor`. None follows `fn_args.doctor`, or warns.
        verbose: 0, 1 (a bar) or 2 (a line per epoch).

    Returns:
        Keras's History, also of the epochs before the training was killed.

    Raises:
        ValueError: If the model is not compiled, or the data, a callback or another argument does not
            fit; before the first step.
        TrainingDoctorError: If a number is not finite; by `doctor="error"`, if any mistake is found.

    Example:
        >>> history = fit(
        ...     model,
        ...     fn_args.dataset("train", batch_size=64, label_key="species"),
        ...     validation_data=fn_args.dataset("eval", batch_size=64, label_key="species"),
        ...     fn_args=fn_args,
        ...     epochs=5,
        ...     callbacks=[keras.callbacks.EarlyStopping(patience=2, restore_best_weights=True)],
        ... )
    """
    from penstock.training.loop.callbacks import Callbacks, flat
    from penstock.training.loop.own_callbacks import doctor_of, progress_and_logs
    from penstock.training.loop.sources import is_arrays, source_of
    from penstock.training.loop.step import create_step
    from penstock.training.loop.training_loop import Plan, TrainingLoop

    given = fn_args or FnArgs()
    _check_model(model)
    plan = Plan(epochs, steps_per_epoch, validation_steps, validation_freq)
    if given.jit_compile is not None:
        model.jit_compile = given.jit_compile
    if gradient_accumulation_steps is not None:
        _accumulate(model.optimizer, gradient_accumulation_steps)
    step = create_step(model, class_weight)
    rows = given.global_batch_size if batch_size is None and is_arrays(data) else batch_size
    source = source_of(
        data,
        batch_size=rows,
        shuffle=shuffle,
        seed=given.seed if given.seed is not None else secrets.randbits(31),
        replicas=step.replicas,
    )
    validation = None
    if validation_data is not None:
        size = rows if is_arrays(validation_data) else None
        validation = source_of(validation_data, batch_size=size, argument="validation_data")
    plan.check(source, validation)
    step.build(source.example())
    listed = list(flat(callbacks))
    examiner = doctor_of(
        doctor,
        given,
        listed,
        data=data,
        validation_data=validation_data,
        epochs=epochs,
        steps_per_epoch=steps_per_epoch or source.length,
    )
    # A run_fn may train several times; the n-th `fit` finds the n-th training again.
    number = given.__dict__["_fits"] = given.__dict__.get("_fits", 0) + 1
    own = progress_and_logs(given, listed, number) if fn_args is not None else []
    called = Callbacks(
        # The doctor first: what it stops is not reported as an epoch.
        [*([examiner] if examiner else []), *own, *listed],
        model,
        epochs=epochs,
        steps=steps_per_epoch or source.length,
        verbose=verbose,
        is_chief=given.is_chief,
    )
    checkpointing = _checkpointing(given, step, source, plan, checkpoint_every)
    loop = TrainingLoop(step, source, validation, called, plan, checkpointing)
    if examiner is not None:
        examiner.bring_up_to_date = step.sync
        examiner.batch_of = loop.earlier_batch
        loop.confirms.append(examiner.confirm)
    loop.run()
    return called.history


def _checkpointing(
    fn_args: FnArgs, step: Step, source: Source, plan: Plan, every: Any
) -> Checkpointing | None:
    from penstock.training.checkpoints.cadence import Cadence
    from penstock.training.checkpoints.checkpointing import Checkpointing
    from penstock.training.checkpoints.folder import CheckpointFolder

    if fn_args.checkpoint_dir is None:
        if every is not None:
            raise ValueError(
                f"checkpoint_every={every!r} has no effect without fn_args.checkpoint_dir: give "
                "fn_args, or FnArgs(checkpoint_dir=...)."
            )
        return None
    number = fn_args.__dict__["_fits"]
    return Checkpointing(
        CheckpointFolder(f"{fn_args.checkpoint_dir}/fit-{number}"),
        Cadence(every, step.mean if step.processes > 1 else None),
        writes=fn_args.is_chief,
        fingerprint={
            "the number of batches": source.length,
            "steps_per_epoch": plan.steps_per_epoch,
        },
    )


def _check_model(model: Any) -> None:
    if not getattr(model, "compiled", False):
        raise ValueError(
            "fit needs a compiled Keras model: call model.compile(optimizer, loss) before. "
            f"Received: {type(model).__name__}"
        )
    if model.optimizer is None:
        raise ValueError("fit needs a model that was compiled with an optimizer. Received: None")
    if model.steps_per_execution != 1:
        raise ValueError(
            "fit runs one step at a time; its steps do not wait for Python anyway. Compile the model "
            f"without steps_per_execution. Received: steps_per_execution={model.steps_per_execution}"
        )


def _accumulate(optimizer: Any, steps: int) -> None:
    """Make an optimizer average the gradients of several steps."""
    if isinstance(steps, bool) or not isinstance(steps, int) or steps < 1:
        raise ValueError(
            f"gradient_accumulation_steps must be a whole number, 1 or more. Received: {steps!r}"
        )
    optimizer = getattr(optimizer, "inner_optimizer", optimizer)
    wanted = steps if steps > 1 else None
    if optimizer.gradient_accumulation_steps == wanted:
        return
    if optimizer.built:
        raise ValueError(
            "The optimizer has trained with gradient_accumulation_steps="
            f"{optimizer.gradient_accumulation_steps} already, which cannot change. Compile the model "
            f"with a new optimizer. Received: gradient_accumulation_steps={steps}"
        )
    optimizer.gradient_accumulation_steps = wanted
