"""Performs a stage: its programs one after the other, then its artifacts published.

With `vm` the only module that starts processes. Everything runs in namespaces that end with this
process (see `sandbox`), and in the stage's own folder, so an abort leaves nothing but that folder.
"""

from __future__ import annotations

import errno
import os
import re
import signal
import time
from collections import deque
from contextlib import ExitStack
from functools import cache
from pathlib import Path
from subprocess import DEVNULL, PIPE, STDOUT
from typing import IO, Any, Callable, Dict, List

from kbimg_tasks import environment, recovery, room, run_log, stamps, store
from kbimg_tasks.layout import Layout
from kbimg_tasks.render import Renderer, actual, command_line
from kbimg_tasks.sandbox import BUILDER, CONTAINMENT
from kbimg_tasks.stage import Cache, Secret, Stage, Step, Text

LAST_LINES = 15
PACKAGE_PARENT = Path(__file__).resolve().parent.parent

Report = Callable[[str, int, int, str], None]
"""Told of a stage's progress: its name, how many, of how many (0: unknown), of what."""


class StageFailed(Exception):
    """A stage could not be made; the text is for the user."""


def perform(stage: Stage, layout: Layout, report: Report) -> None:
    """Make a stage and publish it. Raises StageFailed; what was published before stays."""
    if stage.is_kept and stamps.is_made(layout, stage):
        return  # even where doit was told to do everything again
    os.umask(0o022)  # the caller's would show in the images
    try:
        made_from = stamps.current(layout, stage)
        if not stage.is_shared:
            _make(stage, layout, report, made_from)
            return

        def is_whole() -> bool:
            return stamps.is_made(layout, stage) and all(
                stamps.is_intact(layout, artifact) for artifact in stage.artifacts)

        def make() -> None:
            _make(stage, layout, report, made_from)
            store.prune(layout)

        store.take(layout, stage, made_from, is_whole, make)
    except OSError as error:
        if error.errno == errno.ENOSPC:
            raise StageFailed(room.exhausted(stage, layout, str(error))) from error
        raise StageFailed(f"{stage.name}: {error.strerror}: {error.filename}") from error
    except recovery.StillMounted as error:
        raise StageFailed(f"{stage.name}: {error}") from error


def _make(stage: Stage, layout: Layout, report: Report, made_from: str) -> None:
    started = time.monotonic()
    # That of a shared stage is a link into the store.
    partial, log = layout.partial(stage.name).resolve(), layout.log(stage.name)
    text = actual(stage, layout)
    recovery.delete(partial)
    partial.mkdir(parents=True)
    try:
        log.parent.mkdir(parents=True, exist_ok=True)
        for cache in (arg for arg in stage.args() if isinstance(arg, Cache)):
            (layout.cache / cache.name).mkdir(parents=True, exist_ok=True)
        with run_log.recorded(layout, stage.name):
            with open(log, "wb") as transcript:
                for step in stage.steps:
                    _Execution(stage, step, layout, text, transcript, log, report).run()
            _publish(stage, layout, int(text(stage.clock)))
            stamps.write(layout, stage, made_from, time.monotonic() - started)
    finally:
        # A failed stage gives its room back: the next attempt begins anew anyway.
        recovery.delete(partial)


@cache
def _machine() -> Any:
    """This machine without the caller's environment, which plumbum would add to what it is given:
    TAR_OPTIONS, say, would change an image."""
    import plumbum

    plumbum.local.env.clear()
    plumbum.local.env.update(PATH=os.environ.get("PATH", os.defpath))
    return plumbum.local


class _Execution:
    """One step being run."""

    def __init__(self, stage: Stage, step: Step, layout: Layout, text: Renderer,
                 transcript: IO[bytes], log: Path, report: Report) -> None:  # fmt: skip
        self.stage, self.step, self.layout, self.text = stage, step, layout, text
        self.transcript, self.log, self.report = transcript, log, report
        self.last: deque = deque(maxlen=LAST_LINES)

    def run(self) -> None:
        """Run to the end, or raise StageFailed."""
        self.transcript.write(f"$ {command_line(self.step, self.text)}\n".encode())
        self.transcript.flush()
        # Imported late: loading it is a tenth of a run in which nothing has changed.
        from plumbum.commands import CommandNotFound

        argv = [*CONTAINMENT, *map(self.text, self.step.argv)]
        with ExitStack() as held:
            streams = self._streams(held)
            try:
                process: Any = _machine()[argv[0]].popen(
                    argv[1:], env=self._environment(), cwd="/", start_new_session=True, **streams)
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
            if room.is_exhausted(self.layout, self.last):
                raise StageFailed(room.exhausted(self.stage, self.layout, self._failure(status)))
            raise StageFailed(self._failure(status))

    def _streams(self, held: ExitStack) -> Dict[str, object]:
        stdin = self.step.stdin
        given: object = PIPE
        if stdin is None:
            given = DEVNULL
        elif not isinstance(stdin, (Secret, Text)):
            given = held.enter_context(open(self.text(stdin), "rb"))
        if self.step.stdout is None:
            return {"stdin": given, "stdout": PIPE, "stderr": STDOUT}
        path = self.text(self.step.stdout)
        mode = 0o644 if getattr(self.step.stdout, "is_result", False) else 0o600
        number = os.open(path, os.O_CREAT | os.O_TRUNC | os.O_WRONLY, mode)
        return {"stdin": given, "stdout": held.enter_context(os.fdopen(number, "wb")),
                "stderr": PIPE}  # fmt: skip

    def _feed(self, process: Any) -> None:
        given = self.step.stdin
        if isinstance(given, (Secret, Text)):
            try:
                process.stdin.write(given.text.encode())
                process.stdin.close()
            except BrokenPipeError:
                pass  # the program's own exit status tells more
            process.stdin = None

    def _read(self, stream: IO[bytes]) -> None:
        progress = self.step.progress
        pattern = re.compile(progress.pattern.encode()) if progress else None
        total = int(self.text(progress.total)) if progress else 0
        count = 0
        for line in stream:
            self.transcript.write(line)
            self.transcript.flush()
            self.last.append(line.decode("utf-8", "replace").rstrip())
            if progress and pattern and pattern.search(line):
                count += 1
                self.report(self.stage.name, count, total, progress.unit)

    def _environment(self) -> Dict[str, str]:
        seen = {name: os.environ[name] for name in environment.PASSED_ON if name in os.environ}
        seen.update(environment.FIXED, PYTHONPATH=str(PACKAGE_PARENT),
                    **{BUILDER: str(os.getpid())})
        seen.update((name, self.text(value)) for name, value in self.step.env)
        return seen

    def _failure(self, status: int) -> str:
        # A program that was killed is told by `unshare` as a shell would tell it.
        killed = -status if status < 0 else status - 128
        how = f"signal {killed}" if 0 < killed < signal.NSIG else f"exit status {status}"
        lines = "".join(f"    {line}\n" for line in self.last) or "    (it printed nothing)\n"
        return (
            f"{self.stage.name}: a program ended with {how}. Its last lines:\n{lines}"
            f"  command: {command_line(self.step, self.text)}\n"
            f"  whole log: {self.log}")


def _publish(stage: Stage, layout: Layout, clock: int) -> None:
    """Put the artifacts in their places; from here on they are whole."""
    missing: List[str] = [artifact.name for artifact in stage.artifacts
                          if not os.path.lexists(layout.unpublished(artifact))]  # fmt: skip
    if missing:
        raise StageFailed(f"{stage.name}: its programs succeeded without making {missing}")
    layout.stage(stage.name).mkdir(parents=True, exist_ok=True)
    layout.stamp(stage.name).unlink(missing_ok=True)
    for artifact in stage.artifacts:
        made, place = layout.unpublished(artifact), layout.published(artifact)
        if artifact.is_private:
            made.chmod(0o700 if artifact.is_tree else 0o600)
        if artifact.is_tree:
            if not artifact.is_kept:
                _age(made, clock)
            recovery.delete(place)
        os.replace(made, place)


def _age(tree: Path, clock: int) -> None:
    """Give everything later than the clock the clock's time: it was made by this build."""
    for folder, _, files in os.walk(tree, topdown=False):
        for path in (*(os.path.join(folder, name) for name in files), folder):
            if os.lstat(path).st_mtime > clock:
                os.utime(path, (clock, clock), follow_symlinks=False)
