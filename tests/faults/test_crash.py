"""The machine crashes: data that never reached the disk does not count as made."""

from __future__ import annotations

import os
import subprocess
import sys
import time
import uuid
from pathlib import Path

import pytest
from building import TOP, made
from tiny import configure

pytestmark = pytest.mark.image


def in_boot(folder: Path, boot: Path) -> str:
    """The output of a build after a reboot, simulated by another boot_id."""
    script = 'mount --bind "$1" /proc/sys/kernel/random/boot_id; shift; exec "$@"'
    done = subprocess.run(
        [
            "unshare",
            "--mount",
            "sh",
            "-e",
            "-c",
            script,
            "sh",
            boot,
            sys.executable,
            "-m",
            "doit",
            "-f",
            TOP / "dodo.py",
            "vm_img",
            "cache=cache",
        ],
        cwd=folder,
        text=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        stdin=subprocess.DEVNULL,
        check=False,
    )
    assert done.returncode == 0, done.stdout
    return done.stdout


@pytest.fixture
def boots(tmp_path: Path) -> list:
    """Files in place of boot_id for three boots of the kernel."""
    paths = [tmp_path / f"boot-{number}" for number in range(3)]
    for path in paths:
        path.write_text(f"{uuid.uuid4()}\n")
    return paths


def test_only_what_was_synced_counts_after_a_crash(tiny_repo, tmp_path, boots):
    configure(tmp_path, tiny_repo)
    everything = made(in_boot(tmp_path, boots[0]))
    assert len(everything) > 10
    assert set(made(in_boot(tmp_path, boots[1]))) == set(everything)

    stamps = list((tmp_path / "scripts-auto/.kbimg/stages").glob("*/stamp.json"))
    assert len(stamps) == len(everything)
    young = tmp_path / "scripts-auto/.kbimg/stages/esp/stamp.json"
    for path in stamps:
        if path != young:
            os.utime(path, (time.time() - 120,) * 2)
    assert made(in_boot(tmp_path, boots[1])) == []  # the old stamps' artifacts are synced now
    assert made(in_boot(tmp_path, boots[2])) == ["esp"]


def test_a_stamp_that_never_reached_the_disk(tiny_repo, tmp_path, boots):
    """What is left of a file that was renamed but not yet written: nothing, or zeros."""
    configure(tmp_path, tiny_repo)
    in_boot(tmp_path, boots[0])
    stages = tmp_path / "scripts-auto/.kbimg/stages"
    (stages / "esp/stamp.json").write_bytes(b"")
    (stages / "persist/stamp.json").write_bytes(bytes(700))
    assert sorted(made(in_boot(tmp_path, boots[0]))) == ["esp", "persist"]
