"""The verified image that several test files read: every option of vm_img, dm-verity and Secure
Boot. The arguments and environments of all processes that concern signing are recorded beside
it."""

from __future__ import annotations

import contextlib
import subprocess
import sys
import time
from pathlib import Path

import secure_boot
from building import TOP, build, write_custom

ARGUMENTS = "arguments"
SECRETS = tuple(secret.encode() for secret in secure_boot.SECRETS.values())
# Programs of the build that get secrets.
SIGNERS = (b"openpgp", b"sign_efi")


def write(folder: Path, version: str = "v1", more: str = "") -> None:
    """Its configuration, without cloud-init, which takes most of a boot's time under emulation."""
    path = write_custom(folder)
    text = path.read_text().replace("grub-secret", secure_boot.SECRETS["grub.passwd"])
    text = text.replace('    "cloud-init",\n', '    "e2fsprogs",\n')
    text = text.replace(
        'version = "v1"', f'upgrade_img = "kubeos-upgrade:{version}"\nversion = "{version}"'
    )
    path.write_text(text + secure_boot.DM_VERITY + more + secure_boot.SIZES)


def build_watched(folder: Path) -> None:
    """Build it, and record every process argument and environment variable with a secret, or of a
    program that gets one."""
    write(folder)
    seen: set[bytes] = set()
    with (folder / "output").open("wb") as output:
        process = subprocess.Popen(
            [
                *(sys.executable, "-m", "doit", "-f", str(TOP / "dodo.py")),
                *("upgrade_img", "vm_img", "engine=none"),
            ],
            cwd=folder,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
        )
        while process.poll() is None:
            seen |= arguments()
            time.sleep(0.01)
    assert process.returncode == 0, (folder / "output").read_text()
    found = (words for words in seen if any(each in words for each in (*SECRETS, *SIGNERS)))
    (folder / ARGUMENTS).write_bytes(b"\n".join(sorted(found)))


def build_next(folder: Path, keys: Path) -> None:
    """Build its next version, signed with the same keys."""
    write(folder, "v2", f'keys_dir = "{keys}"\n')
    build(folder)


def arguments() -> set[bytes]:
    """The arguments and environments of all current processes."""
    found = set()
    for folder in Path("/proc").glob("[0-9]*"):
        for name in ("cmdline", "environ"):
            with contextlib.suppress(OSError):  # it has ended
                found.add((folder / name).read_bytes())
    return found
