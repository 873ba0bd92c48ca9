"""What the scripts of a plan make: just what doit makes."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest
from building import ROOT_HASH, SMALL, build, digest, run_doit, write_config

pytestmark = pytest.mark.image

OPTIONS = """
[disk_partition]
root = 1024
img_size = 5

[[users]]
name = "foo"
passwd = "foo's pass word"

[grub]
passwd = "grub-secret"

[[copy_files]]
src = "a file's $name"
dst = "/etc"

[persist_mkdir]
name = ["data"]
"""
SECRETS = {"root_passwd": ROOT_HASH, "users.foo.passwd": "foo's pass word",
           "grub.passwd": "grub-secret"}  # fmt: skip


def test_byte_equal_images(repository, tmp_path: Path):
    (tmp_path / "a file's $name").write_text("content\n")
    write_config(tmp_path, SMALL, OPTIONS)
    done = run_doit(tmp_path, "plan", "out=planned")
    assert done.returncode == 0, done.stdout
    (tmp_path / "secrets").mkdir()
    for name, text in SECRETS.items():
        path = tmp_path / "secrets" / name
        path.touch(0o600)
        path.write_text(text + "\n")
    made = subprocess.run(
        ["sh", "planned/plan/build.sh"], cwd=tmp_path, text=True, check=False, umask=0o027,
        stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
        env={**os.environ, "KBIMG_OUT": "by-hand", "KBIMG_SECRETS": "secrets",
             "TZ": "Asia/Shanghai", "TAR_OPTIONS": "--owner=nobody"})
    assert made.returncode == 0, made.stdout
    assert not any(secret in made.stdout for secret in SECRETS.values())
    out, by_hand = build(tmp_path), tmp_path / "by-hand"
    assert digest(by_hand / "system.img") == digest(out / "system.img")
    for name in ("system.qcow2", "kubeos.tar"):
        assert (by_hand / name).read_bytes() == (out / name).read_bytes()
    for name in ("system.qcow2.sha256", "kubeos.tar.sha256"):
        assert (by_hand / name).read_text() == (out / name).read_text()
    results = sorted(path.name for path in out.iterdir() if path.is_file())
    assert sorted(path.name for path in by_hand.iterdir() if path.is_file()) == results
    for name in results:
        assert (by_hand / name).stat().st_mode == (out / name).stat().st_mode
    assert (by_hand / "stages").stat().st_mode & 0o777 == 0o700
