"""Builds that are killed at random moments of every stage, and resume. pytest -m long
tests/faults/test_kills.py --kills 400"""

from __future__ import annotations

import contextlib
import itertools
import json
import os
import pty
import random
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import tiny
from building import SMALL, TOP, digest, made, run_doit, write_config

from kbimg_tasks.build import stamps
from kbimg_tasks.config.load import load
from kbimg_tasks.plan.images import plan
from kbimg_tasks.steps.layout import Layout

pytestmark = [pytest.mark.image, pytest.mark.timeout(3600)]

WAYS = ("SIGKILL", "SIGTERM", "SIGINT", "terminal", "child")
SHARED = ("rootfs", "initramfs")


def results(out: Path) -> dict[str, str]:
    found = [out / "kubeos.tar", out / "system.qcow2", *(out / ".kbimg/stages").glob("*/*.img")]
    return {path.name: digest(path) for path in found}


def processes_of(folder: Path) -> list[str]:
    """Processes with their directory in the folder, or with the folder in their arguments."""
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit() and int(entry.name) != os.getpid():
            try:
                words = (entry / "cmdline").read_bytes()
                place = os.readlink(entry / "cwd")
            except OSError:
                continue
            if os.fsencode(folder) in words or place.startswith(str(folder)):
                found.append(words.replace(b"\0", b" ").decode())
    return found


def mounts_of(folder: Path) -> list[str]:
    """Mounts at or below the folder, in the namespace of any process."""
    found = set()
    for table in Path("/proc").glob("[0-9]*/mountinfo"):
        try:
            lines = table.read_text().splitlines()
        except OSError:
            continue
        found.update(line for line in lines if str(folder) in line)
    return sorted(found)


def children_of(process: int) -> list[int]:
    """The processes that doit's threads started, and what these started in turn."""
    found: list[int] = []
    for task in Path(f"/proc/{process}/task").glob("*/children"):
        try:
            found += map(int, task.read_text().split())
        except OSError:
            continue
    return found + [one for child in found for one in children_of(child)]


def start(folder: Path, how: str, *options: str) -> tuple:
    """doit in its own session; on its own terminal if the terminal is to be closed."""
    command = [
        sys.executable,
        "-m",
        "doit",
        "-f",
        str(TOP / "dodo.py"),
        *options,
        "vm_img",
        "cache=cache",
    ]
    log = open(folder / "log", "wb")
    if how != "terminal":
        return subprocess.Popen(
            command,
            cwd=folder,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            start_new_session=True,
        ), None
    pid, terminal = pty.fork()
    if pid == 0:
        signal.signal(signal.SIGHUP, signal.SIG_DFL)
        os.chdir(folder)
        os.execv(command[0], command)
    return pid, terminal


def end(process, terminal, how: str, chance: random.Random) -> None:
    """Kill it in one of the ways, and wait until it has ended."""
    pid = process.pid if terminal is None else process
    if how == "terminal":
        os.close(terminal)
        os.waitpid(pid, 0)
        return
    if how == "child":
        below = children_of(pid)[:2]  # unshare, and the first process of its namespace
        if below:
            with contextlib.suppress(ProcessLookupError):
                os.kill(chance.choice(below), signal.SIGKILL)
    else:
        os.kill(pid, getattr(signal, how))
    process.wait(60)


def stamped(layout: Layout, names: list[str]) -> set:
    return {name for name in names if layout.stamp(name).exists()}


def check_published(layout: Layout, stages) -> None:
    """Every stage with a stamp has exactly its published files; every result has a stamp."""
    for stage in stages:
        stamp = stamps.read(layout, stage.name)
        for artifact in stage.artifacts:
            path = layout.published(artifact)
            if stamp is None:
                # Between the removal of a stamp and the renaming of what follows, the former
                # file may still be there; it is whole, and will be replaced.
                continue
            status = os.lstat(path)
            assert stamp.artifacts[artifact.name]["inode"] == status.st_ino, path


# Each way of killing hits each stage of a tiny tree; real packages take longer.
@pytest.mark.parametrize(
    ("source", "kills"), [("tiny", 15), pytest.param("demo", 200, marks=pytest.mark.long)]
)
def test_killed_builds_go_on(repository, tiny_repo, tmp_path, source, kills, capsys, request):
    kills = request.config.getoption("--kills") or kills
    seed = random.randrange(1 << 32)
    chance = random.Random(seed)
    calm, folder = tmp_path / "calm", tmp_path / "killed"
    for place in (calm, folder):
        place.mkdir()
        if source == "tiny":
            path = tiny.configure(place, tiny_repo)
        else:
            path = write_config(place, SMALL, "[disk_partition]\nroot = 1024\nimg_size = 5\n")
    done = run_doit(calm, "vm_img", "cache=cache")
    assert done.returncode == 0, done.stdout
    seconds = {
        stamp.parent.name: json.loads(stamp.read_text())["seconds"]
        for stamp in (calm / "scripts-auto/.kbimg/stages").glob("*/stamp.json")
    }
    expected = results(calm / "scripts-auto")

    layout = Layout(folder / "scripts-auto", folder / "cache")
    stages = [stage for stage in plan(load(path, folder)).stages if stage.name in seconds]
    names = [stage.name for stage in stages]
    told: dict[str, int] = {}
    rounds = itertools.islice(itertools.cycle(names), kills)
    for number, stage in enumerate(rounds):
        how = WAYS[number % len(WAYS)]
        if layout.stamp(stage).exists():
            assert run_doit(folder, "clean", stage).returncode == 0
            if stage in SHARED:
                shutil.rmtree(layout.store)
        before = stamped(layout, names)
        workers = "process" if number % 3 == 2 else "thread"
        process, terminal = start(folder, how, "-n", "2", "-P", workers)
        limit = time.monotonic() + 60
        while not os.path.lexists(layout.partial(stage)) and time.monotonic() < limit:
            if layout.stamp(stage).exists():
                break
            time.sleep(0.001)
        time.sleep(chance.random() * seconds[stage])
        finished = stamped(layout, names)
        where = f"seed {seed}, kill {number}: {how} in {stage}, workers {workers}"
        try:
            end(process, terminal, how, chance)
        except subprocess.TimeoutExpired:
            pytest.fail(f"{where}: doit does not end")
        gone_by = time.monotonic() + 1
        # A program in a chroot does not show the folder, but its mounts do.
        while (left := [*processes_of(folder), *mounts_of(folder)]) and time.monotonic() < gone_by:
            time.sleep(0.01)
        assert not left, where
        assert not mounts_of(folder), where
        assert (
            str(folder)
            not in subprocess.run(
                ["losetup", "--list"], check=True, text=True, capture_output=True
            ).stdout
        ), where
        check_published(layout, stages)
        assert before - {stage} <= stamped(layout, names) | set(SHARED), where
        told[how] = told.get(how, 0) + 1
        if number % 5 == 4:
            # Finished stages are not made again.
            after = run_doit(folder, "-n", "2", "vm_img", "cache=cache")
            assert after.returncode == 0, f"{where}\n{after.stdout}"
            assert not (finished - {*SHARED}) & set(made(after.stdout)), f"{where}\n{after.stdout}"
    done = run_doit(folder, "vm_img", "cache=cache")
    assert done.returncode == 0, done.stdout
    assert results(layout.out) == expected
    assert made(run_doit(folder, "vm_img", "cache=cache").stdout) == []
    with capsys.disabled():
        print(f" {kills} kills: {told}, seed {seed}")
