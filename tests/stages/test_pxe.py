"""The network installer: its kernel, its initramfs, and the check of its programs."""

from __future__ import annotations

import pytest
from rpms import make_rpm

from kbimg_tasks.build.runner import StageFailed
from kbimg_tasks.stages import pxe

PXE = (
    '[pxe_config]\nserver_ip = "192.168.1.50"\nrootfs_name = "kubeos.tar"\n'
    'disk = "/dev/vda"\nroute_ip = "192.168.1.1"\ndhcp = true\n'
    '[persist_mkdir]\nname = ["data"]\n'
)


def test_the_kernel(bench):
    made = bench(PXE)
    tree = made.put("rootfs", "rootfs", {"boot/vmlinuz": "a kernel"})
    (tree / "boot/vmlinuz").chmod(0o700)
    kernel = made.make("pxe_kernel")["vmlinuz"]
    assert kernel == made.layout.out / "vmlinuz"
    assert (kernel.read_text(), kernel.stat().st_mode & 0o777) == ("a kernel", 0o644)


def test_programs_that_are_missing_are_named(bench, tmp_path):
    made = bench(PXE)
    there = {**pxe.PROGRAMS, **pxe.DHCP_PROGRAMS}
    del there["curl"], there["sfdisk"]
    package = make_rpm(tmp_path, "all", files={f"/usr/bin/{name}": "" for name in there})
    made.put("packages", "packages.list", f"{package}\n")
    with pytest.raises(StageFailed) as failed:
        made.make("pxe_programs")
    output = [line for line in str(failed.value).splitlines() if line.startswith("    ")]
    assert [line.partition(": ")[2] for line in output] == [
        "there is no curl, which installing over the network needs: add curl to from_repo.rpmlist",
        "there is no sfdisk, which installing over the network needs: "
        "add util-linux to from_repo.rpmlist",
    ]


@pytest.mark.image
def test_the_initramfs_has_what_the_installer_is_told(bench, put_system):
    """With a dracut that packs the folder of kbimg's module."""
    made = bench(PXE)
    put_system(made)
    dracut = made.path("rootfs", "rootfs") / "usr/bin/dracut"
    dracut.write_text(
        "#!/bin/sh\nfor one; do image=$version; version=$one; done\n"
        "cd /usr/lib/dracut/modules.d/91kubeos-install\n"
        'cat install.conf partitions folders > "$image"\n'
        'echo "$*" >> "$image"\n'
    )
    image = made.make("pxe_initramfs")["initramfs.img"]
    assert image.stat().st_mode & 0o777 == 0o644
    lines = image.read_text().splitlines()
    assert {"DISK=/dev/vda", "SERVER_IP=192.168.1.50", "DHCP=true", "LOCAL_IP=''"} <= set(lines)
    assert {"data", "etc/KubeOS/certs", "var"} <= set(lines)
    assert "--add kubeos kubeos-install" in lines[-1]
    script = lines[lines.index("label: gpt") :]
    assert [line for line in script if "name=ROOT-B" in line.replace('"', "")]
