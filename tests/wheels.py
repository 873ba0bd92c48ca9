"""Installs the package from its wheel, as users do."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from building import TOP


def run(*argv: object, cwd: Path, **env: str) -> str:
    """The output of a program, which must succeed."""
    done = subprocess.run(
        [str(word) for word in argv],
        cwd=cwd,
        text=True,
        check=False,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        stdin=subprocess.DEVNULL,
        env={**os.environ, **env},
    )
    assert done.returncode == 0, done.stdout
    return done.stdout


def clone(folder: Path) -> Path:
    """The committed files, without those that builds left in the checkout."""
    source = folder / "source"
    run("git", "-c", "safe.directory=*", "clone", "--quiet", TOP, source, cwd=folder)
    return source


def build(folder: Path) -> None:
    """Build the wheel of the committed files into a folder."""
    run(
        sys.executable,
        "-m",
        "pip",
        "wheel",
        "--quiet",
        "--no-deps",
        "--wheel-dir",
        folder,
        clone(folder),
        cwd=folder,
    )
