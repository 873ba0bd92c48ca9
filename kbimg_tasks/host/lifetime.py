"""How a run of doit ends early: with all its workers, and without a traceback; and that it survives
a closed output."""

from __future__ import annotations

import contextlib
import io
import os
import signal
import sys
from types import TracebackType
from typing import Any, Callable

PR_SET_PDEATHSIG = 1  # prctl(2)
_forking = 0


def tie_workers() -> None:
    """From now on, workers that this process forks for `doit -P process` are killed when it dies,
    and it ends when a worker is killed.

    The programs of a stage die with the process that starts them in the same way. An idle worker
    runs no program, and would lock the output directory forever. doit itself would wait forever for
    the answer of a killed worker.
    """
    os.register_at_fork(before=_remember, after_in_parent=_watch, after_in_child=_end_with_parent)


def tell_of_interrupts() -> None:
    """From now on Ctrl-C ends this process with one line instead of a traceback."""
    others = sys.excepthook

    def told(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
        if issubclass(kind, KeyboardInterrupt):
            sys.stderr.write("\ninterrupted; finished stages are kept\n")
        else:
            others(kind, error, trace)

    sys.excepthook = told


def outlive_readers() -> None:
    """From now on this process continues when the reader of its output ends, as `| head` does; the
    rest of the output is discarded.

    Writing then reports success. doit keeps the stream that it found when it was imported, so the
    methods of that stream are replaced, not the stream.
    """
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.write = _guarded(stream, stream.write)  # type: ignore[method-assign]
            stream.flush = _guarded(stream, stream.flush)  # type: ignore[method-assign]


def _guarded(stream: io.TextIOWrapper, method: Callable[..., Any]) -> Callable[..., Any]:
    def guarded(*args: Any) -> Any:
        try:
            return method(*args)
        except BrokenPipeError:
            nowhere = os.open(os.devnull, os.O_WRONLY)
            os.dup2(nowhere, stream.fileno())
            os.close(nowhere)
            return len(args[0]) if args else None

    return guarded


def _remember() -> None:
    global _forking
    _forking = os.getpid()


def _watch() -> None:
    signal.signal(signal.SIGCHLD, _end_with_worker)


def _end_with_worker(_number: int, _frame: object) -> None:
    # Stages run in the workers, so every child of this process is a worker.
    with contextlib.suppress(ChildProcessError):
        ended = os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOHANG | os.WNOWAIT)
        if ended and ended.si_code in (os.CLD_KILLED, os.CLD_DUMPED):
            name = signal.Signals(ended.si_status).name
            sys.stderr.write(
                f"a worker process of this build was ended by {name}; finished stages are kept: "
                "run the command again\n"
            )
            sys.stderr.flush()
            os._exit(1)


def _end_with_parent() -> None:
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    import ctypes  # late: threads, the default, never need it

    if ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL) != 0 or os.getppid() != _forking:
        # The signal is not available, or the parent died before this process asked for it.
        os.kill(os.getpid(), signal.SIGKILL)
