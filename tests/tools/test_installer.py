"""The shell functions of the installer that can be tested without a machine."""

from __future__ import annotations

import re
import subprocess

import pytest

from kbimg_tasks.host.installation import DATA
from kbimg_tasks.stages import pxe

MODULE = DATA / "dracut/91kubeos-install"


@pytest.mark.parametrize(
    ("disk", "partition"),
    [
        ("/dev/vda", "/dev/vda2"),
        ("/dev/sda", "/dev/sda2"),
        ("/dev/sdaa", "/dev/sdaa2"),
        ("/dev/nvme0n1", "/dev/nvme0n1p2"),
        ("/dev/nvme10n12", "/dev/nvme10n12p2"),
        ("/dev/mmcblk0", "/dev/mmcblk0p2"),
        ("/dev/md127", "/dev/md127p2"),
    ],
)
def test_partitions_are_named_as_the_kernel_names_them(disk, partition):
    """Linux, block/partitions/core.c: a p where the disk's name ends in a digit."""
    done = subprocess.run(
        ["sh", "-c", '. "$1"; partition_prefix "$2"', "sh", MODULE / "functions.sh", disk],
        check=True,
        text=True,
        capture_output=True,
        env={"LOG": "/dev/null"},
    )
    assert f"{done.stdout.strip()}2" == partition


def test_every_program_of_the_initramfs_is_asked_for_beforehand():
    text = (MODULE / "module-setup.sh").read_text()
    asked = re.findall(r"inst_multiple (?:-o )?((?:[\w. -]+(?:\\\n)?)+)", text)
    programs = set(" ".join(asked).replace("\\\n", " ").split())
    assert programs == ({*pxe.PROGRAMS, *pxe.DHCP_PROGRAMS} - {"dracut"})
