"""doit reproduce: two builds of one configuration, and what differs between them."""

from __future__ import annotations

from pathlib import Path

import pytest
from building import run_doit, write_custom
from tiny import configure

pytestmark = pytest.mark.image


def test_two_builds_are_equal(repository, tmp_path: Path):
    """With every option, and with a script that records what it sees of the host."""
    write_custom(tmp_path)
    with (tmp_path / "mark.sh").open("a") as script:
        script.write("(uname -n; umask; echo $TZ $LANG) > /usr/share/host\n")
    done = run_doit(tmp_path, "reproduce")
    assert done.returncode == 0, done.stdout
    for name in ("kubeos.tar", "system.img", "system.qcow2", "packages.txt", "sbom.cdx.json"):
        assert f"equal  {name}\n" in done.stdout
    assert "build-tools.json" not in done.stdout
    assert not (tmp_path / "scripts-auto/.kbimg/reproduce").exists()


def test_the_file_that_differs_is_named(tiny_repo, tmp_path: Path):
    (tmp_path / "random.sh").write_text("head -c 16 /dev/urandom > /usr/share/random\n")
    configure(tmp_path, tiny_repo, '[chroot_script]\npath = "random.sh"\n')
    done = run_doit(tmp_path, "reproduce")
    assert done.returncode != 0
    assert "differs  kubeos.tar: /usr/share/random: content at byte 0: " in done.stdout
    assert "differs  system.img: ROOT-A, byte " in done.stdout
    assert " of the partition: /usr/share/random: content at byte 0: " in done.stdout
    assert "Traceback" not in done.stdout
    assert (tmp_path / "scripts-auto/.kbimg/reproduce/one/kubeos.tar").exists()
