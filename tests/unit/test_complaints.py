"""What a program says, brought back to the line of the configuration that is to blame."""

from __future__ import annotations

from pathlib import Path

from building import SMALL, write_config

from kbimg_tasks import complaints
from kbimg_tasks.config.load import load

SAID = """packages: a program ended with exit status 1. Its last lines:
    Packages to try kbimg with                      2.2 MB/s | 2.3 kB     00:00
    No match for argument: tra
    No match for argument: tra
    No match for argument: grub2-efi
    Error: Unable to find a match: tra grub2-efi
"""


def test_packages_that_no_repository_has(tmp_path: Path):
    path = write_config(tmp_path, (*SMALL, "tra"))
    config = load(path, tmp_path)
    line = path.read_text().splitlines().index('    "tra",') + 1
    assert [str(one) for one in complaints.blamed(config, "packages", SAID)] == [
        f"kbimg.toml:{line}: from_repo.rpmlist[{len(SMALL)}]: no repository of demo.repo has tra"]
    assert not list(complaints.blamed(config, "rootfs", SAID))
