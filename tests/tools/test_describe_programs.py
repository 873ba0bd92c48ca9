"""The description of this host's build programs."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from kbimg_tasks.tools import describe_programs


def described(*names: str, **env: str) -> dict:
    done = subprocess.run(
        [sys.executable, "-m", "kbimg_tasks.tools.describe_programs", *names],
        check=True,
        text=True,
        capture_output=True,
        env={**os.environ, **env},
    )
    return json.loads(done.stdout)


def test_programs_of_this_host():
    found = described("rpm", "mke2fs", "sh", "not-there-at-all")
    programs = found["programs"]
    assert list(programs) == ["mke2fs", "rpm", "sh"]
    for name, told in programs.items():
        path = os.path.realpath(str(shutil.which(name)))
        assert told["path"] == path
        assert told["sha256"] == hashlib.sha256(Path(path).read_bytes()).hexdigest()
        assert told["package"] and told["version"]
    assert programs["mke2fs"]["package"] == "e2fsprogs"
    assert found["host"]["kernel"] == os.uname().release
    assert found["python"]["packages"]["doit"]


@pytest.mark.skipif(not describe_programs.DPKG.exists(), reason="a host with dpkg")
def test_the_version_is_that_of_the_package():
    asked = subprocess.run(
        ["dpkg-query", "-W", "-f", "${Version}", "tar"], check=True, text=True, capture_output=True
    ).stdout
    assert described("tar")["programs"]["tar"]["version"] == asked


def test_a_program_without_a_package(tmp_path):
    (tmp_path / "own").write_text("#!/bin/sh\n")
    (tmp_path / "own").chmod(0o755)
    told = described("own", PATH=f"{tmp_path}:{os.environ['PATH']}")["programs"]["own"]
    assert set(told) == {"path", "sha256"}


def test_a_host_with_rpm(tmp_path, monkeypatch):
    """Without dpkg, rpm is asked about files; this one answers like openEuler's."""
    (tmp_path / "rpm").write_text(
        '#!/bin/sh\n[ "$3" = /usr/bin/known ] && { printf "pack\\t1:2-3\\n"; exit; }\n'
        'echo "file $3 is not owned by any package"\nexit 1\n'
    )
    (tmp_path / "rpm").chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=":")
    monkeypatch.setattr(describe_programs, "DPKG", tmp_path / "none")
    assert describe_programs.owners(["/usr/bin/known", "/usr/bin/other"]) == {
        "/usr/bin/known": ("pack", "1:2-3")
    }
