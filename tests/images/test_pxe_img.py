"""The initramfs that installs KubeOS: its content, when it is made again, and when it is
refused."""

from __future__ import annotations

import hashlib
import subprocess
from pathlib import Path

import pytest
import tiny
from building import PXE_PACKAGES, SMALL, TOP, made, run_doit, write_config

pytestmark = pytest.mark.image

SIZES = "[disk_partition]\nroot = 1200\nimg_size = 6\n"
PXE = (
    '[pxe_config]\nserver_ip = "10.0.2.100"\nrootfs_name = "kubeos.tar"\ndisk = "/dev/vda"\n'
    'route_ip = "10.0.2.2"\n'
)
BY_DHCP, BY_HAND = (
    PXE + "dhcp = true\n",
    PXE + ('local_ip = "10.0.2.77"\nnetmask = "255.255.255.0"\nnet_name = "eth0"\n'),
)
UPGRADE = 'upgrade_img = "kubeos-upgrade:v1"\nversion ='


def sums(out: Path) -> dict:
    return {
        name: hashlib.sha256((out / name).read_bytes()).hexdigest()
        for name in ("initramfs.img", "vmlinuz", "kubeos.tar")
    }


def inside(out: Path, folder: Path) -> Path:
    """The content of initramfs.img: a compressed cpio archive, after the microcode, if any."""
    folder.mkdir()
    plain = subprocess.run(
        ["zstd", "--decompress", "--stdout", out / "initramfs.img"], check=True, capture_output=True
    ).stdout
    subprocess.run(
        ["cpio", "--quiet", "--extract", "--make-directories", "--no-absolute-filenames"],
        input=plain,
        cwd=folder,
        check=True,
    )
    return folder


@pytest.fixture(scope="module")
def folder(repository: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """pxe_img and the upgrade image of the same configuration."""
    top = tmp_path_factory.mktemp("pxe")
    path = write_config(top, PXE_PACKAGES, SIZES + BY_DHCP)
    path.write_text(path.read_text().replace("version =", UPGRADE))
    done = run_doit(top, "pxe_img", "upgrade_img", "engine=none")
    assert done.returncode == 0, done.stdout
    return top


@pytest.mark.long
def test_two_builds_are_equal(folder, tmp_path):
    path = write_config(tmp_path, PXE_PACKAGES, SIZES + BY_DHCP)
    path.write_text(path.read_text().replace("version =", UPGRADE))
    assert run_doit(tmp_path, "pxe_img", f"cache={tmp_path / 'cache'}").returncode == 0
    assert sums(tmp_path / "scripts-auto") == sums(folder / "scripts-auto")


def test_nothing_is_made_twice(folder):
    assert made(run_doit(folder, "pxe_img").stdout) == []


def test_what_the_initramfs_is_told(folder, tmp_path):
    tree = inside(folder / "scripts-auto", tmp_path / "initramfs")
    told = (tree / "etc/kubeos-install/install.conf").read_text()
    assert "DISK=/dev/vda\n" in told and "DHCP=true\n" in told and "LOCAL_IP=''\n" in told
    partitions = (tree / "etc/kubeos-install/partitions").read_text()
    assert partitions.count("size=") == 3 and 'name="PERSIST"' in partitions.splitlines()[-1]
    assert "etc/KubeOS/certs" in (tree / "etc/kubeos-install/folders").read_text().split()
    for program in ("curl", "dhclient", "mkfs.ext4", "mkfs.vfat", "sfdisk", "tar"):
        assert any((tree / place / program).exists() for place in ("usr/sbin", "usr/bin")), program
    secrets = subprocess.run(
        ["grep", "-rlF", "$1$xyz$", tree], check=False, text=True, capture_output=True
    ).stdout
    assert secrets == ""  # anyone who downloads the initramfs would get root's hash


def test_another_address_costs_only_the_initramfs(folder, tmp_path):
    text = (folder / "kbimg.toml").read_text()
    other = tmp_path / "kbimg.toml"
    other.write_text(text.replace("dhcp = true\n", BY_HAND[len(PXE) :]))
    done = run_doit(tmp_path, "pxe_img", f"config={other}", f"out={folder / 'scripts-auto'}")
    assert made(done.stdout) == ["pxe_programs", "pxe_initramfs"], done.stdout
    tree = inside(folder / "scripts-auto", tmp_path / "initramfs")
    assert "LOCAL_IP=10.0.2.77\n" in (tree / "etc/kubeos-install/install.conf").read_text()
    assert made(run_doit(folder, "pxe_img").stdout) == ["pxe_programs", "pxe_initramfs"]


def test_legacy_bios_is_passed_over(folder, tmp_path):
    text = (folder / "kbimg.toml").read_text()
    other = tmp_path / "kbimg.toml"
    other.write_text(text.replace("legacy_bios = false", "legacy_bios = true"))
    done = run_doit(tmp_path, "pxe_img", f"config={other}", f"out={folder / 'scripts-auto'}")
    assert done.returncode == 0, done.stdout
    assert (
        "warning: kbimg.toml:3: from_repo.legacy_bios: ignored by pxe_img: its "
        "kubeos.tar and the installed system are for UEFI"
    ) in done.stdout
    assert made(done.stdout) == []


def test_a_program_that_no_package_brings(repository, tmp_path):
    write_config(tmp_path, (*SMALL, "dracut"), SIZES + BY_DHCP)
    done = run_doit(tmp_path, "pxe_img")
    assert done.returncode != 0
    assert made(done.stdout) == ["packages"]
    for program, package in (("dhclient", "dhcp"), ("mkfs.vfat", "dosfstools")):
        assert (
            f"there is no {program}, which installing over the network needs: add {package} "
            "to from_repo.rpmlist\n"
        ) in done.stdout
    # The other images do not need it.
    assert run_doit(tmp_path, "rootfs").returncode == 0


def from_archive(folder: Path, archive: Path) -> None:
    (folder / "kbimg.toml").write_text(f'[from_dockerimg]\narchive = "{archive}"\n{SIZES}{BY_DHCP}')


def test_out_of_an_upgrade_image(folder, tmp_path):
    from_archive(tmp_path, folder / "scripts-auto/upgrade_img.tar")
    done = run_doit(tmp_path, "pxe_img")
    assert done.returncode == 0, done.stdout
    found, wanted = sums(tmp_path / "scripts-auto"), sums(folder / "scripts-auto")
    assert found["kubeos.tar"] == wanted["kubeos.tar"]
    assert found["vmlinuz"] == wanted["vmlinuz"]
    tree = inside(tmp_path / "scripts-auto", tmp_path / "initramfs")
    same = inside(folder / "scripts-auto", tmp_path / "from-packages")
    for name in ("install.conf", "partitions", "folders"):
        place = f"etc/kubeos-install/{name}"
        assert (tree / place).read_bytes() == (same / place).read_bytes()
    assert (tree / "usr/sbin/kubeos-install").read_bytes() == (
        TOP / "kbimg_tasks/data/dracut/91kubeos-install/kubeos-install.sh"
    ).read_bytes()
    names = [{str(path.relative_to(top)) for path in top.rglob("*")} for top in (tree, same)]
    assert names[0] == names[1]


def test_an_upgrade_image_without_the_programs(tiny_repo, tmp_path):
    path = tiny.configure(tmp_path, tiny_repo)
    path.write_text(path.read_text().replace("version =", UPGRADE))
    assert run_doit(tmp_path, "upgrade_img", "engine=none").returncode == 0
    (tmp_path / "bare").mkdir()
    from_archive(tmp_path / "bare", tmp_path / "scripts-auto/upgrade_img.tar")
    done = run_doit(tmp_path / "bare", "pxe_img")
    assert done.returncode != 0
    assert made(done.stdout) == ["kubeos_tar"]
    assert (
        "there is no dhclient, which installing over the network needs: build the upgrade "
        "image with dhcp in from_repo.rpmlist"
    ) in done.stdout


def test_serving_where_it_cannot_be_served(folder):
    done = run_doit(folder, "pxe_serve", "address=192.0.2.1")
    assert done.returncode != 0
    assert (
        "cannot serve on 192.0.2.1: Cannot assign requested address; choose another with "
        "address=IP[:PORT]"
    ) in done.stdout
