"""Jobs that run elsewhere: what they say is told while they run, and they end with who waits for them.

A job on Dataflow, Flink or Spark goes on when the process that submitted it dies, and costs money. So a
signal that asks this process to end (SIGTERM, as a preempted pod gets it, or Ctrl-C) cancels the job
first, and then does what it did before.
"""

from __future__ import annotations

import contextlib
import faulthandler
import functools
import logging
import os
import signal
import threading
from collections.abc import Iterator
from types import FrameType, TracebackType
from typing import Any, Self

import apache_beam as beam

from penstock.beam import leftover_jobs
from penstock.progress import tell

_LOG = logging.getLogger("penstock.beam")

CANCEL_SECONDS = 15.0
"""How long a runner may take over the request to cancel; a pod has 30 s from SIGTERM to SIGKILL."""

_SIGNALS = (signal.SIGTERM, signal.SIGINT)

# They tell of states, and Dataflow's of what its machines do.
_BEAM_LOGS = (
    "apache_beam.runners.portability.portable_runner",
    "apache_beam.runners.dataflow.dataflow_runner",
)


class JobPipeline(beam.Pipeline):  # type: ignore[misc]
    """A pipeline whose job runs elsewhere; use it as a context manager.

    Args:
        options: Beam's PipelineOptions, which name the runner and the job.
        replaces: whether a job of the same name that still runs is that of a lost try, whose process died
            without a word: it is cancelled first. (Dataflow refuses a second job of a name.)

    Example:
        with JobPipeline(options=options) as pipeline:
            pipeline | beam.Create([1, 2])   # submitted, followed and waited for at the end
    """

    result: Any = None
    _signals: _Signals | None = None

    def __init__(self, options: Any, replaces: bool = False) -> None:
        super().__init__(options=options)
        self._replaces = replaces

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if kind is not None:
            super().__exit__(kind, error, traceback)
            return
        runner = type(self.runner).__name__
        with _Signals() as self._signals, _servers_of(self.runner), _told(runner):
            try:
                super().__exit__(None, None, None)
            except (_Signalled, KeyboardInterrupt):
                cancel(self.result, self.options, runner)
                raise

    def run(self, test_runner_api: bool | str = "AUTO") -> Any:
        """Submit the job and return Beam's PipelineResult; see `beam.Pipeline.run`."""
        if self._replaces:
            leftover_jobs.cancel_on_flink(self.options)
        try:
            self._submit(test_runner_api)
        except Exception as error:
            if not self._replaces or not leftover_jobs.cancel_on_dataflow(self.runner, error):
                raise
            os.makedirs(self.local_tempdir, exist_ok=True)  # Beam removes it after each try.
            self._submit(test_runner_api)
        return self.result

    def _submit(self, test_runner_api: bool | str) -> None:
        with self._signals.held() if self._signals is not None else contextlib.nullcontext():
            self.result = super().run(test_runner_api)


def cancel(result: Any, options: Any, runner: str) -> bool:
    """Ask a runner to cancel a job, and return whether it took the request.

    A failure is logged, not raised: whoever cancels is about to end.

    Args:
        result: Beam's PipelineResult; None if nothing was submitted.
        options: the job's PipelineOptions.
        runner: its runner's name, for the log.
    """
    if result is None:
        return False
    errors: list[BaseException] = []

    def ask() -> None:
        on_flink = functools.partial(leftover_jobs.cancel_on_flink, options, strict=True)
        for request in (result.cancel, on_flink):
            try:
                request()
            except Exception as error:
                errors.append(error)

    thread = threading.Thread(target=ask, name="cancel-beam-job", daemon=True)
    thread.start()
    thread.join(CANCEL_SECONDS)
    if thread.is_alive():
        errors.append(TimeoutError(f"no answer in {CANCEL_SECONDS:g} s"))
    if errors:
        _LOG.warning(
            "The job on %s could not be cancelled (%s: %s). If it still runs, cancel it there.",
            runner,
            type(errors[0]).__name__,
            errors[0],
        )
        return False
    _LOG.warning("Asked %s to cancel the job, because this process was told to end.", runner)
    return True


class _Signalled(BaseException):
    """Raised in the main thread where a signal comes while a job is waited for."""


class _Signals:
    """Takes SIGTERM and SIGINT: each raises `_Signalled`, and while they are held only afterwards.

    At the end the signal is raised again for whom it was meant for. Outside of the main thread, which alone
    may handle signals, it does nothing.
    """

    def __init__(self) -> None:
        self._received: list[int] = []
        self._is_holding = False
        self._before: dict[int, Any] = {}
        self._dumped = False

    def __enter__(self) -> Self:
        if threading.current_thread() is threading.main_thread():
            # Where workers of the local runner print their stacks, before they die of it.
            self._dumped = bool(faulthandler.unregister(signal.SIGTERM))  # type: ignore[func-returns-value]
            for number in _SIGNALS:
                self._before[number] = signal.signal(number, self._receive)
        return self

    @contextlib.contextmanager
    def held(self) -> Iterator[None]:
        """While a job is submitted: whoever cancels it must know it."""
        self._is_holding = True
        try:
            yield
        finally:
            self._is_holding = False
            for number in self._before:
                # Beam's own job servers set handlers of theirs when they start.
                signal.signal(number, self._receive)
        if self._received:
            raise _Signalled

    def _receive(self, number: int, frame: FrameType | None) -> None:
        self._received.append(number)
        if len(self._received) == 1 and not self._is_holding:
            raise _Signalled

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        for number, before in self._before.items():
            signal.signal(number, signal.SIG_DFL if before is None else before)
        if self._dumped:
            faulthandler.register(signal.SIGTERM, file=2, all_threads=True, chain=True)
        if self._received:
            signal.raise_signal(self._received[0])
            # Who only noted the signal does not go on: the job is gone.
            raise KeyboardInterrupt("the Beam job was cancelled by a signal") from None


@contextlib.contextmanager
def _told(runner: str) -> Iterator[None]:
    """Pass on what Beam says of a job: to the log of the attempt, and to whoever follows it."""
    handler = _Teller(runner)
    logs = [logging.getLogger(name) for name in _BEAM_LOGS]
    before = [(log.level, log.propagate) for log in logs]
    for log in logs:
        log.setLevel(logging.INFO)
        log.propagate = False
        log.addHandler(handler)
    try:
        yield
    finally:
        for log, (level, propagate) in zip(logs, before, strict=True):
            log.removeHandler(handler)
            log.setLevel(level)
            log.propagate = propagate


class _Teller(logging.Handler):
    """Says what a log says in the name of the runner, a line once."""

    def __init__(self, runner: str) -> None:
        super().__init__(logging.INFO)
        self._runner = runner
        self._last = ""

    def emit(self, record: logging.LogRecord) -> None:
        text = record.getMessage()
        if text == self._last or text.startswith("Environment "):
            return
        self._last = text
        _LOG.log(record.levelno, "%s: %s", self._runner, text)
        tell(f"{self._runner}: {text.splitlines()[0] if text else ''}")


@contextlib.contextmanager
def _servers_of(runner: Any) -> Iterator[None]:
    """Stop the job servers that the runners of Flink and Spark start, which Beam keeps to the end.

    Flink's is one a pipeline: it goes with the job. Spark's is shared, and it is Spark's driver: it goes
    when this process is to end, and the job with it, whatever became of the request to cancel.
    """
    name = type(runner).__name__
    if name not in ("FlinkRunner", "SparkRunner"):
        yield
        return
    started: list[Any] = []
    start = runner.default_job_server

    def keep(options: Any) -> Any:
        started.append(start(options))
        return started[-1]

    runner.default_job_server = keep
    is_over = name == "FlinkRunner"
    try:
        yield
    except (_Signalled, KeyboardInterrupt):
        is_over = True
        raise
    finally:
        del runner.default_job_server
        for server in started if is_over else ():
            server.stop()
