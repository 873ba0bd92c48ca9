"""doit reproduce: two builds of one configuration, and what differs between them."""

from __future__ import annotations

from pathlib import Path

import pytest
from building import SMALL, run_doit, write_config

SIZES = "[disk_partition]\nroot = 1024\nimg_size = 5\n"
pytestmark = pytest.mark.image


def test_two_builds_are_equal(repository, tmp_path: Path):
    """Even with a script that writes down what it sees of the host."""
    (tmp_path / "host.sh").write_text("(uname -n; umask; echo $TZ $LANG) > /usr/share/host\n")
    write_config(tmp_path, SMALL, SIZES + '[chroot_script]\npath = "host.sh"\n')
    done = run_doit(tmp_path, "reproduce")
    assert done.returncode == 0, done.stdout
    for name in ("kubeos.tar", "system.img", "system.qcow2", "packages.txt", "sbom.cdx.json"):
        assert f"equal  {name}\n" in done.stdout
    assert "build-tools.json" not in done.stdout
    assert not (tmp_path / "scripts-auto/.kbimg/reproduce").exists()


def test_the_file_that_differs_is_named(repository, tmp_path: Path):
    (tmp_path / "random.sh").write_text("head -c 16 /dev/urandom > /usr/share/random\n")
    write_config(tmp_path, SMALL, SIZES + '[chroot_script]\npath = "random.sh"\n')
    done = run_doit(tmp_path, "reproduce")
    assert done.returncode != 0
    assert "differs  kubeos.tar: /usr/share/random: content at byte 0: " in done.stdout
    assert "differs  system.img: ROOT-A, byte " in done.stdout
    assert " of the partition: /usr/share/random: content at byte 0: " in done.stdout
    assert "Traceback" not in done.stdout
    assert (tmp_path / "scripts-auto/.kbimg/reproduce/one/kubeos.tar").exists()
