"""What is made once for a whole run of the tests, by the worker that asks first."""

from __future__ import annotations

import fcntl
import os
from pathlib import Path
from typing import Callable

import pytest


def made(factory: pytest.TempPathFactory, name: str, make: Callable[[Path], None]) -> Path:
    """A folder that `make` has filled. Every worker sees it: tests only read what is in it.

    A worker that asks while another one makes it waits. What could not be made fails at once for
    those who ask later.
    """
    top = factory.getbasetemp()
    if "PYTEST_XDIST_WORKER" in os.environ:  # each worker has a folder of its own below the run's
        top = top.parent
    folder, state = top / "shared" / name, top / "shared" / f"{name}.state"
    folder.mkdir(parents=True, exist_ok=True)
    with state.open("a+") as stream:
        fcntl.flock(stream, fcntl.LOCK_EX)
        stream.seek(0)
        found = stream.read()
        if not found:
            try:
                make(folder)
            except BaseException as error:
                stream.write(f"{name} could not be made: {error}"[:4000])
                raise
            stream.write("made")
        elif found != "made":
            pytest.fail(found)
    return folder
