"""Builds an image twice from the same packages, and compares the results."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Callable

from attrs import frozen

from kbimg_tasks.dissect import tars
from kbimg_tasks.host import remove
from kbimg_tasks.host.containment import CONTAINMENT
from kbimg_tasks.host.installation import PACKAGE, PARENT
from kbimg_tasks.session.request import Variables
from kbimg_tasks.tools.user_error import UserError

AS_HOST = PACKAGE / "commands/reproduce/as_host.py"
MASKS = {"one": 0o022, "another-and-longer": 0o077}


@frozen
class Attempt:
    """One of the two builds. They differ as builds on two hosts do, as far as one host can vary it:
    docs/design.md lists what it cannot vary."""

    name: str
    host: str
    workers: int
    environment: tuple[tuple[str, str], ...]

    @property
    def prefix(self) -> tuple[str, ...]:
        """The command prefix: namespaces that end with this process, and a host name."""
        return (*CONTAINMENT, sys.executable, str(AS_HOST), self.host)


ATTEMPTS = (
    Attempt("one", "one", 1, (("TZ", "UTC"), ("LANG", "C.UTF-8"))),
    Attempt(
        "another-and-longer",
        "another.example.org",
        2,
        (("TZ", "Asia/Shanghai"), ("LANG", "zh_CN.UTF-8"), ("TAR_OPTIONS", "--owner=daemon")),
    ),
)


def reproduce(
    image: str,
    results: tuple[str, ...],
    protected: tuple[Path, ...],
    asked: Variables,
    say: Callable[[str], None],
) -> None:
    """Build twice and compare. Raises UserError. Equal builds are deleted, others stay.

    `protected` are folders that cannot be made again, such as keys: both builds get a copy. Each
    build has its own store, so packages are installed twice; downloads are shared.
    """
    folder = asked.layout.private / "reproduce"
    remove.delete(folder)
    for attempt in ATTEMPTS:
        (folder / attempt.name).mkdir(parents=True)
        for original in protected:
            shutil.copytree(original, folder / attempt.name / original.name)
        _build(attempt, image, folder, asked)
        say(f"built  {folder / attempt.name}")
    differences: dict[str, str] = {}
    one, other = (folder / attempt.name for attempt in ATTEMPTS)
    for name in results:
        found = tars.first_difference(one / name, other / name)
        say(f"{'differs' if found else 'equal'}  {name}{f': {found}' if found else ''}")
        if found:
            differences[name] = found
    if differences:
        name, found = next(iter(differences.items()))
        raise UserError(f"the two builds differ, first in {name}: {found}; both are in {folder}")
    remove.delete(folder)


def _build(attempt: Attempt, image: str, folder: Path, asked: Variables) -> None:
    cache, downloaded = folder / f"cache-{attempt.name}", asked.layout.cache / "dnf"
    cache.mkdir(parents=True)
    downloaded.mkdir(parents=True, exist_ok=True)
    (cache / "dnf").symlink_to(downloaded)
    words = [
        f"config={asked.config}",
        f"out={folder / attempt.name}",
        f"cache={cache}",
        f"arch={asked.architecture.name}",
        f"offline={int(asked.is_offline)}",
    ]
    words += [f"lock={asked.lock}"] if asked.is_locked else []
    done = subprocess.run(
        [
            *attempt.prefix,
            sys.executable,
            "-m",
            "kbimg_tasks",
            "-n",
            str(attempt.workers),
            image,
            *words,
        ],
        cwd=asked.started_in,
        text=True,
        env={**os.environ, **dict(attempt.environment), "PYTHONPATH": str(PARENT)},
        check=False,
        umask=MASKS[attempt.name],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
    )
    if done.returncode != 0:
        raise UserError(f"one of the two builds failed:\n{done.stdout}")
