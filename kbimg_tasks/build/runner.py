"""Runs a stage: its programs one after the other; then publishes its artifacts.

All programs run in namespaces that end with this process (`host/containment.py`), and in the
partial folder of the stage, so an aborted build leaves only that folder.
"""

from __future__ import annotations

import errno
import math
import os
import re
import signal
import time
from collections import deque
from collections.abc import Iterable
from contextlib import ExitStack
from functools import cache, partial
from pathlib import Path
from subprocess import DEVNULL, PIPE, STDOUT
from typing import IO, Any

from attrs import frozen

from kbimg_tasks.build import environment, run_log, space, stamps, store
from kbimg_tasks.diagnostics.problem import Option
from kbimg_tasks.host import installation, remove
from kbimg_tasks.host.allocation import allocated
from kbimg_tasks.host.containment import BUILDER, CONTAINMENT
from kbimg_tasks.progress.watcher import Watcher
from kbimg_tasks.steps.args import PRIVATE_MODE, Artifact, Base, Secret, Text
from kbimg_tasks.steps.blame import blamed
from kbimg_tasks.steps.layout import Layout
from kbimg_tasks.steps.programs import at_work
from kbimg_tasks.steps.render import Actual, command, command_line
from kbimg_tasks.steps.stage import Stage
from kbimg_tasks.steps.step import Growth, Progress, Step
from kbimg_tasks.tools.user_error import UserError

LAST_LINES = 15
NOBODY = Watcher()


class StageFailed(UserError):
    """A stage failed. `blamed` are the options to blame, each with its error message."""

    def __init__(self, text: str, blamed: Iterable[tuple[Option, str]] = ()) -> None:
        super().__init__(text)
        self.blamed = tuple(blamed)


def perform(stage: Stage, layout: Layout, watcher: Watcher = NOBODY) -> None:
    """Make a stage and publish it. Raises StageFailed; an earlier published result then stays."""
    if stage.protected and stamps.is_made(layout, stage):
        return  # even with doit's option to run all tasks
    os.umask(0o022)  # the caller's umask would change the images
    try:
        made_from = stamps.current(layout, stage)
        if not stage.is_shared:
            _make(stage, layout, watcher, made_from)
            return

        def is_whole() -> bool:
            found = stamps.is_made(layout, stage) and all(
                stamps.is_intact(layout, artifact) for artifact in stage.artifacts
            )
            if found:
                watcher.found(stage.name)
            return found

        def make() -> None:
            _make(stage, layout, watcher, made_from)
            store.prune(layout)

        store.take(layout, stage, made_from, is_whole, make)
    except OSError as error:
        if error.errno == errno.ENOSPC:
            raise StageFailed(space.exhausted(stage, layout, str(error))) from error
        raise StageFailed(f"{stage.name}: {error.strerror}: {error.filename}") from error
    except remove.StillMounted as error:
        raise StageFailed(f"{stage.name}: {error}") from error


def _make(stage: Stage, layout: Layout, watcher: Watcher, made_from: str) -> None:
    started = time.monotonic()
    # That of a shared stage is a link into the store.
    partial, log = layout.partial(stage.name).resolve(), layout.log(stage.name)
    rendered = Actual(stage, layout)
    remove.delete(partial)
    partial.mkdir(parents=True)
    try:
        log.parent.mkdir(parents=True, exist_ok=True)
        for location in stage.locations(Base.CACHE):
            Path(rendered.location(location)).mkdir(parents=True, exist_ok=True)
        with run_log.recorded(layout, stage.name):
            with open(log, "wb") as transcript:
                making = _Making(stage, layout, rendered, transcript, watcher)
                for step in stage.steps:
                    _Execution(making, step).run()
            taken = _publish(stage, layout, int(rendered.text(stage.clock)))
            stamps.write(layout, stage, made_from, time.monotonic() - started, taken)
    finally:
        # Frees the disk space of a failed stage: the next attempt starts from the beginning.
        remove.delete(partial)


@frozen
class _Making:
    """A stage being made: what its steps have in common."""

    stage: Stage
    layout: Layout
    rendered: Actual
    transcript: IO[bytes]
    watcher: Watcher

    def write(self, line: bytes) -> str:
        """Write a line to the log, and pass it to the watcher."""
        self.transcript.write(line)
        self.transcript.flush()
        text = line.decode("utf-8", "replace")
        self.watcher.output(self.stage.name, text)
        return text


@cache
def _machine() -> Any:
    """plumbum's local machine without the caller's environment, which plumbum would pass on: for
    example, TAR_OPTIONS would change an image."""
    import plumbum

    plumbum.local.env.clear()
    plumbum.local.env.update(PATH=os.environ.get("PATH", os.defpath))
    return plumbum.local


class _Execution:
    """One step being run."""

    def __init__(self, making: _Making, step: Step) -> None:
        self.making, self.step = making, step
        self.stage, self.layout, self.watcher = making.stage, making.layout, making.watcher
        self.text = making.rendered.text
        self.last: deque = deque(maxlen=LAST_LINES)

    def run(self) -> None:
        """Run to the end, or raise StageFailed."""
        self.making.write(f"$ {command_line(self.step, self.making.rendered)}\n".encode())
        self._watch()
        # Imported late: loading it is a tenth of a run in which nothing has changed.
        from plumbum.commands import CommandNotFound

        argv = [*CONTAINMENT, *command(self.step, self.making.rendered)]
        with ExitStack() as held:
            streams = self._streams(held)
            try:
                process: Any = _machine()[argv[0]].popen(
                    argv[1:], env=self._environment(), cwd="/", start_new_session=True, **streams
                )
            except CommandNotFound as error:
                raise StageFailed(f"{self.stage.name}: no program {error.program}") from error
            try:
                self._feed(process)
                self._read(process.stdout or process.stderr)
                status = process.wait()
            except BaseException:
                # The group is `unshare` alone; the namespace's other processes die with it.
                os.killpg(process.pid, signal.SIGKILL)
                process.wait()
                raise
            finally:
                for pipe in (process.stdin, process.stdout, process.stderr):
                    if pipe:
                        pipe.close()
        if status != 0:
            if space.is_exhausted(self.layout, self.last):
                raise StageFailed(space.exhausted(self.stage, self.layout, self._failure(status)))
            raise StageFailed(self._failure(status), blamed(self.step.blames, self.last))

    def _streams(self, held: ExitStack) -> dict[str, object]:
        stdin = self.step.stdin
        given: object = PIPE
        if stdin is None:
            given = DEVNULL
        elif not isinstance(stdin, (Secret, Text)):
            given = held.enter_context(open(self.text(stdin), "rb"))
        if self.step.stdout is None:
            return {"stdin": given, "stdout": PIPE, "stderr": STDOUT}
        path = self.text(self.step.stdout)
        printed = self.step.stdout
        mode = printed.output_mode if isinstance(printed, Artifact) else PRIVATE_MODE
        number = os.open(path, os.O_CREAT | os.O_TRUNC | os.O_WRONLY, mode)
        return {
            "stdin": given,
            "stdout": held.enter_context(os.fdopen(number, "wb")),
            "stderr": PIPE,
        }

    def _feed(self, process: Any) -> None:
        given = self.step.stdin
        if isinstance(given, (Secret, Text)):
            try:
                process.stdin.write(given.text.encode())
                process.stdin.close()
            except BrokenPipeError:
                pass  # the exit status of the program is reported instead
            process.stdin = None

    def _read(self, stream: IO[bytes]) -> None:
        progress = self.step.progress if isinstance(self.step.progress, Progress) else None
        pattern = re.compile(progress.pattern) if progress else None
        total = int(self.text(progress.total)) if progress else 0
        count = 0
        for line in stream:
            text = self.making.write(line)
            self.last.append(text.rstrip())
            found = pattern.search(text) if pattern else None
            if progress and found:
                count += 1
                total = int(found.groupdict().get("total") or total)
                self.watcher.advance(self.stage.name, count, total, progress.unit)

    def _watch(self) -> None:
        self.watcher.step(self.stage.name, at_work(self.step))
        growth = self.step.progress
        if isinstance(growth, Growth):
            total = sum(
                stamps.allocated(self.layout, artifact.stage).get(artifact.name, 0)
                for artifact in growth.made_of
            )
            self.watcher.follow(self.stage.name, partial(_written, self.text(growth.file)), total)

    def _environment(self) -> dict[str, str]:
        seen = {name: os.environ[name] for name in environment.PASSED_ON if name in os.environ}
        seen.update(
            environment.FIXED, PYTHONPATH=str(installation.PARENT), **{BUILDER: str(os.getpid())}
        )
        seen.update((name, self.text(value)) for name, value in self.step.env)
        return seen

    def _failure(self, status: int) -> str:
        # `unshare` reports a killed program as a shell does: 128 plus the number of the signal.
        killed = -status if status < 0 else status - 128
        how = f"signal {killed}" if 0 < killed < signal.NSIG else f"exit status {status}"
        lines = "".join(f"    {line}\n" for line in self.last) or "    (none)\n"
        return (
            f"{self.stage.name}: command failed with {how}; last output:\n{lines}"
            f"  command: {command_line(self.step, self.making.rendered)}\n"
            f"  full log: {self.layout.log(self.stage.name)}"
        )


def _written(path: str) -> int:
    """The current disk space of a file, in bytes; 0 if it does not exist."""
    try:
        return allocated(os.lstat(path))
    except OSError:
        return 0


def _publish(stage: Stage, layout: Layout, clock: int) -> dict[str, int]:
    """Move the complete artifacts to their places. Returns the disk space of each, in bytes."""
    missing: list[str] = [
        artifact.name
        for artifact in stage.artifacts
        if not os.path.lexists(layout.unpublished(artifact))
    ]
    if missing:
        raise StageFailed(f"{stage.name}: the commands succeeded but did not make {missing}")
    layout.stage(stage.name).mkdir(parents=True, exist_ok=True)
    layout.stamp(stage.name).unlink(missing_ok=True)
    taken: dict[str, int] = {}
    for artifact in stage.artifacts:
        made, place = layout.unpublished(artifact), layout.published(artifact)
        taken[artifact.name] = allocated(os.lstat(made))
        if artifact.is_tree:
            clamp = clock if stage.clamps_times(artifact) else math.inf
            taken[artifact.name] = _age(made, clamp)
            remove.delete(place)
        os.replace(made, place)
    return taken


def _age(tree: Path, clock: float) -> int:
    """Set modification times after the clock, which are those of this build, to the clock. Returns
    the disk space of the tree, in bytes."""
    taken, linked = 0, set()
    for folder, _, files in os.walk(tree, topdown=False):
        for path in (*(os.path.join(folder, name) for name in files), folder):
            status = os.lstat(path)
            if status.st_mtime > clock:
                os.utime(path, (clock, clock), follow_symlinks=False)
            if status.st_ino not in linked:
                taken += allocated(status)
            if status.st_nlink > 1:
                linked.add(status.st_ino)
    return taken
