"""What a run of doit outlives, and how it ends before its time: with all its workers, and without a
traceback."""

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
    """From now on, whatever this process forks for `doit -P process` is killed when it dies.

    The programs of a stage are tied to the process that starts them in the same way; a worker that
    waits for work has none, and would hold the output directory for ever. The other way round, doit
    would wait for ever for what a killed worker was to answer: it ends instead.
    """
    os.register_at_fork(before=_remember, after_in_parent=_watch, after_in_child=_end_with_parent)


def tell_of_interrupts() -> None:
    """From now on Ctrl-C ends this process as it would, but with a line instead of a traceback."""
    others = sys.excepthook

    def told(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
        if issubclass(kind, KeyboardInterrupt):
            sys.stderr.write("\ninterrupted; what was finished stays\n")
        else:
            others(kind, error, trace)

    sys.excepthook = told


def outlive_readers() -> None:
    """From now on it does not matter that whoever reads the output goes away, as `| head` does: a
    build goes on, and what it has to say is not said.

    Whoever writes is told that all was written. doit holds on to the stream that it found when it
    was loaded, so the stream itself is changed and no other one put in its place.
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
    # Stages run in the workers, so whatever is a child of this process is one of them.
    with contextlib.suppress(ChildProcessError):
        ended = os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOHANG | os.WNOWAIT)
        if ended and ended.si_code in (os.CLD_KILLED, os.CLD_DUMPED):
            name = signal.Signals(ended.si_status).name
            sys.stderr.write(
                f"a worker process of this build was ended by {name}: start again, "
                "what was finished stays\n"
            )
            sys.stderr.flush()
            os._exit(1)


def _end_with_parent() -> None:
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    import ctypes  # late: threads, the default, never need it

    if ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL) != 0 or os.getppid() != _forking:
        # No signal can be had, or the parent died before it was asked for.
        os.kill(os.getpid(), signal.SIGKILL)
