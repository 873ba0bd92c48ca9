"""How a run of doit ends before its time: with all its workers, and without a traceback."""

from __future__ import annotations

import contextlib
import os
import signal
import sys
from types import TracebackType
from typing import Optional, Type

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

    def told(kind: Type[BaseException], error: BaseException,
             trace: Optional[TracebackType]) -> None:  # fmt: skip
        if issubclass(kind, KeyboardInterrupt):
            sys.stderr.write("\ninterrupted; what was finished stays\n")
        else:
            others(kind, error, trace)

    sys.excepthook = told


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
            sys.stderr.write(f"a worker process of this build was ended by {name}: start again, "
                             "what was finished stays\n")
            sys.stderr.flush()
            os._exit(1)


def _end_with_parent() -> None:
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    import ctypes  # late: threads, the default, never need it

    if ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL) != 0 or os.getppid() != _forking:
        # No signal can be had, or the parent died before it was asked for.
        os.kill(os.getpid(), signal.SIGKILL)
