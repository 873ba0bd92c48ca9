"""The two builds of doit reproduce run as on two hosts."""

from __future__ import annotations

import os
import subprocess
import sys

from building import TOP

from kbimg_tasks.commands.reproduce.reproduce import ATTEMPTS


def test_each_has_a_host_name_of_its_own():
    before = os.uname().nodename
    names = [
        subprocess.run(
            [*attempt.prefix, "uname", "-n"], check=True, text=True, capture_output=True
        ).stdout.strip()
        for attempt in ATTEMPTS
    ]
    assert names == [attempt.host for attempt in ATTEMPTS]
    assert len({before, *names}) == 3
    assert os.uname().nodename == before


def test_this_machine_is_never_renamed():
    before = os.uname().nodename
    done = subprocess.run(
        [sys.executable, TOP / "kbimg_tasks/commands/reproduce/as_host.py", before, "true"],
        text=True,
        check=False,
        capture_output=True,
    )
    assert done.returncode != 0
    assert "the initial UTS namespace" in done.stderr
    assert os.uname().nodename == before
