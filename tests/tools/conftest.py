"""Runs kbimg's own programs as a build does."""

from __future__ import annotations

import subprocess
import sys
from typing import Callable

import pytest

from kbimg_tasks.host.containment import CONTAINMENT
from kbimg_tasks.host.installation import PARENT

Run = Callable[..., "subprocess.CompletedProcess[str]"]


@pytest.fixture
def tool() -> Run:
    """Run a tool by its name, without checking the result."""

    def run(name: str, *argv: object, stdin: str = "", contained: bool = False, **env: str):
        command = [sys.executable, "-m", f"kbimg_tasks.tools.{name}", *map(str, argv)]
        return subprocess.run(
            [*(CONTAINMENT if contained else ()), *command],
            input=stdin,
            text=True,
            capture_output=True,
            check=False,
            env={"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "PYTHONPATH": str(PARENT), **env},
        )

    return run
