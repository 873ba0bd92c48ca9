"""Results that are made once for a whole test run, by the worker that needs them first."""

from __future__ import annotations

import fcntl
import os
from pathlib import Path
from typing import Callable

import pytest


def made(factory: pytest.TempPathFactory, name: str, make: Callable[[Path], None]) -> Path:
    """A folder filled by `make` and shared by all workers, so tests only read it. A worker waits
    while another one makes it. If it cannot be made, later requests fail at once."""
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
