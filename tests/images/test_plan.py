"""The scripts of a plan build the same bytes as doit."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest
import secure_boot
from attrs import Factory, frozen
from building import DEMO, PXE_PACKAGES, ROOT_HASH, SMALL, digest, run_doit, write_config

pytestmark = pytest.mark.image

SIZES = "\n[disk_partition]\nroot = 1200\nimg_size = 6\n"
OPTIONS = (
    SIZES
    + """
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
)
INSTALLER = (
    SIZES
    + """
[pxe_config]
server_ip = "10.0.2.100"
rootfs_name = "kubeos.tar"
disk = "/dev/vda"
route_ip = "10.0.2.2"
dhcp = true
"""
)
ADMIN = f"""[admin_container]
img_name = "kubeos-admin-container:v1"
hostshell = "/usr/bin/nsenter"
repo_path = "{DEMO / "demo.repo"}"
"""
ROOT = {"root_passwd": ROOT_HASH}
UPGRADE = "version =", 'upgrade_img = "kubeos-upgrade:v1"\nversion ='


@frozen
class Kind:
    """An image, its source, and the settings of the scripts."""

    image: str
    packages: tuple[str, ...] = SMALL
    options: str = SIZES
    changed: tuple[str, str] = ("", "")
    secrets: dict[str, str] = Factory(lambda: ROOT)


KINDS = {
    "vm_img": Kind(
        "vm_img",
        options=OPTIONS,
        secrets={**ROOT, "users.foo.passwd": "foo's pass word", "grub.passwd": "grub-secret"},
    ),
    "legacy": Kind("vm_img", changed=("legacy_bios = false", "legacy_bios = true")),
    "verified": Kind(
        "vm_img",
        options=secure_boot.SIZES + secure_boot.MORE,
        secrets={
            **ROOT,
            "grub.passwd": secure_boot.SECRETS["grub.passwd"],
            **{f"dm_verity.{name}": secure_boot.SECRETS[name] for name in ("efi_key", "grub_key")},
        },
    ),
    "pxe_img": Kind("pxe_img", PXE_PACKAGES, INSTALLER),
    "upgrade_img": Kind("upgrade_img", changed=UPGRADE),
    "admin_container": Kind("admin_container", packages=(), options=ADMIN, secrets={}),
}


# The verified kind needs the real shim and GRUB; what the others' scripts do shows on a tiny tree.
CASES = [
    pytest.param(
        name, source, marks=pytest.mark.long if source == "demo" and name != "verified" else ()
    )
    for name in KINDS
    for source in ("demo", "tiny")
    if (name, source) != ("verified", "tiny")
]


def write(folder: Path, kind: Kind, repo: Path) -> None:
    """The configuration, and files with the secrets."""
    (folder / "a file's $name").write_text("content\n")
    if kind.packages:
        path = write_config(folder, kind.packages, kind.options)
        path.write_text(path.read_text().replace(*kind.changed))
    else:
        path = folder / "kbimg.toml"
        path.write_text(kind.options)
    path.write_text(path.read_text().replace(str(DEMO / "demo.repo"), str(repo)))
    (folder / "secrets").mkdir()
    for name, text in kind.secrets.items():
        path = folder / "secrets" / name
        path.touch(0o600)
        path.write_text(text + "\n")


@pytest.mark.parametrize(("name", "source"), CASES)
def test_byte_equal_images(repository, tiny_repo, tmp_path: Path, name, source):
    kind = KINDS[name]
    write(tmp_path, kind, {"demo": DEMO / "demo.repo", "tiny": tiny_repo}[source])
    for words in ((kind.image,), ("plan", f"image={kind.image}", "out=planned")):
        done = run_doit(tmp_path, *words, "engine=none")
        assert done.returncode == 0, done.stdout
    out, by_hand = tmp_path / "scripts-auto", tmp_path / "by-hand"
    if (out / "keys").is_dir():  # made once, with numbers that nobody can make again
        shutil.copytree(out / "keys", by_hand / "keys")
    made = subprocess.run(
        ["sh", "planned/plan/build.sh"],
        cwd=tmp_path,
        text=True,
        check=False,
        umask=0o027,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        env={
            **os.environ,
            "KBIMG_OUT": "by-hand",
            "KBIMG_SECRETS": "secrets",
            "TZ": "Asia/Shanghai",
            "TAR_OPTIONS": "--owner=nobody",
        },
    )
    assert made.returncode == 0, made.stdout
    assert not any(secret in made.stdout for secret in kind.secrets.values())
    results = sorted(path.name for path in out.iterdir() if path.is_file())
    assert results
    assert sorted(path.name for path in by_hand.iterdir() if path.is_file()) == results
    for name in results:
        assert digest(by_hand / name) == digest(out / name), name
        assert (by_hand / name).stat().st_mode == (out / name).stat().st_mode
    assert (by_hand / "stages").stat().st_mode & 0o777 == 0o700
