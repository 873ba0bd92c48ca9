"""A verified image's files: no secret in them or on the way to them, and the same bytes twice."""

from __future__ import annotations

import contextlib
import re
import subprocess
import sys
import tarfile
import time
from datetime import datetime
from pathlib import Path

import pytest
import secure_boot
from building import DEMO, SMALL, TOP, run_doit, write_config
from pages import blocks

pytestmark = [pytest.mark.image, pytest.mark.timeout(1800)]

DAY = 24 * 60 * 60
SECRETS = tuple(secret.encode() for secret in secure_boot.SECRETS.values())


def write(folder: Path, more: str = "", version: str = "v1") -> None:
    path = write_config(folder, SMALL, secure_boot.MORE + more + secure_boot.SIZES, version)
    path.write_text(
        path.read_text().replace(
            "version =", f'upgrade_img = "kubeos-upgrade:{version}"\nversion ='
        )
    )


def arguments() -> set[bytes]:
    """The arguments and environment of every process that there is now."""
    found = set()
    for folder in Path("/proc").glob("[0-9]*"):
        for name in ("cmdline", "environ"):
            with contextlib.suppress(OSError):  # it has ended
                found.add((folder / name).read_bytes())
    return found


@pytest.fixture(scope="module")
def watched(repository: Path, tmp_path_factory) -> tuple:
    """A build, and all arguments of the processes that were there meanwhile."""
    folder = tmp_path_factory.mktemp("watched")
    write(folder)
    seen: set[bytes] = set()
    with (folder / "output").open("wb") as output:
        process = subprocess.Popen(
            [
                sys.executable,
                "-m",
                "doit",
                "-f",
                str(TOP / "dodo.py"),
                "upgrade_img",
                "vm_img",
                "engine=none",
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
    return folder, seen


def test_no_secret_in_any_arguments(watched):
    _, seen = watched
    assert any(b"openpgp" in words for words in seen), "the programs that get them were seen"
    assert any(b"sign_efi" in words for words in seen)
    for secret in SECRETS:
        assert not [words for words in seen if secret in words]


def test_no_secret_in_logs_or_files_for_others(watched):
    folder, _ = watched
    looked_at = 0
    for path in (folder / "output", *(folder / "scripts-auto").rglob("*")):
        if path.is_file() and not path.is_symlink() and path.stat().st_size < 64 << 20:
            content = path.read_bytes()
            looked_at += 1
            for secret in SECRETS:
                assert secret not in content, path
            assert b"-----BEGIN PRIVATE KEY" not in content, path
            assert b"-----BEGIN RSA PRIVATE" not in content, path
    assert looked_at > 50
    for image in ("update-boot.img", "update-root.img", "system.img"):
        for secret in SECRETS:
            done = subprocess.run(
                [
                    "grep",
                    "--quiet",
                    "--text",
                    "--fixed-strings",
                    secret.decode(),
                    folder / "scripts-auto" / image,
                ],
                check=False,
            )
            assert done.returncode == 1, image


def test_the_upgrade_image_holds_a_slot(watched):
    out = watched[0] / "scripts-auto"
    files = {}
    with tarfile.open(out / "upgrade_img.tar") as archive:
        for member in archive.getmembers():
            if member.isfile() and member.size > 1 << 20:
                with tarfile.open(fileobj=archive.extractfile(member)) as layer:
                    files.update({each.name: each.size for each in layer.getmembers()})
    assert files == {
        name: (out / name).stat().st_size
        for name in ("update-boot.img", "update-root.img", "update-hash.img")
    }


def test_enrolling_as_the_documentation_says(watched):
    """Its commands, run beside scripts-auto, make a store of variables with both certificates."""
    (block,) = (
        block for block in blocks(TOP / "docs/howto/dm-verity.md") if "virt-fw-vars" in block.text
    )
    subprocess.run(["sh", "-eu", "-c", block.text], cwd=watched[0], check=True)
    told = secure_boot.run(
        "virt-fw-vars", "--input", watched[0] / "variables.fd", "--print", "--verbose"
    )
    for variable in ("PK", "KEK", "db", "dbx"):
        assert re.search(rf"^name={variable}\b", told, re.MULTILINE), told
    assert "KubeOS Secure Boot" in told


def test_keys_are_used_again(watched):
    out = watched[0] / "scripts-auto"
    before = (out / "keys/rsa4BIOS.der").read_bytes()
    assert run_doit(watched[0], "clean").returncode == 0
    assert not (out / "system.img").exists()
    done = run_doit(watched[0], "vm_img", "engine=none")
    assert done.returncode == 0, done.stdout
    assert (out / "keys/rsa4BIOS.der").read_bytes() == before


def test_another_passphrase_is_told_before_anything_is_built(watched, tmp_path: Path):
    keys = watched[0] / "scripts-auto/keys"
    write(tmp_path, f'keys_dir = "{keys}"\n')
    path = tmp_path / "kbimg.toml"
    text = path.read_text()
    path.write_text(text.replace(secure_boot.SECRETS["efi_key"], "words that open nothing"))
    line = text[: text.index("efi_key")].count("\n") + 1
    done = run_doit(tmp_path, "vm_img")
    assert done.returncode == 1
    assert f"kbimg.toml:{line}: dm_verity.efi_key: expected the passphrase of" in done.stdout
    assert "made  rootfs" not in done.stdout
    assert "words that open nothing" not in done.stdout


def test_two_builds_agree(watched):
    done = run_doit(watched[0], "reproduce")
    assert done.returncode == 0, done.stdout
    for name in ("system.img", "update-boot.img", "update-root.img", "update-hash.img"):
        assert f"equal  {name}" in done.stdout


def test_packages_that_dm_verity_needs(tmp_path: Path):
    write(tmp_path)
    (tmp_path / "some.repo").write_text(
        (DEMO / "demo.repo").read_text() + "excludepkgs=shim*,cryptsetup*\n"
    )
    path = tmp_path / "kbimg.toml"
    path.write_text(path.read_text().replace(str(DEMO / "demo.repo"), "some.repo"))
    done = run_doit(tmp_path, "packages")
    assert done.returncode == 1
    assert "Error: no repository has what dm-verity needs: shim, veritysetup" in done.stdout


def test_a_certificate_that_ends_after_it_was_found_good(tmp_path: Path):
    """The first build takes it, a later one does not, and loses nothing."""
    write(tmp_path)
    assert run_doit(tmp_path, "keys").returncode == 0
    keys = (tmp_path / "scripts-auto/keys").rename(tmp_path / "keys")
    phrase = tmp_path / "phrase"
    phrase.write_text(secure_boot.SECRETS["efi_key"])
    end = time.time() + 20
    secure_boot.run(
        "faketime",
        "-f",
        f"@{datetime.fromtimestamp(end - DAY):%F %T}",
        "openssl",
        "req",
        "-new",
        "-x509",
        "-days",
        "1",
        "-key",
        keys / "rsa4BIOS.key",
        "-passin",
        f"file:{phrase}",
        "-subj",
        "/CN=short",
        "-outform",
        "DER",
        "-out",
        keys / "rsa4BIOS.der",
    )
    write(tmp_path, f'keys_dir = "{keys}"\n')
    first = run_doit(tmp_path, "signing_keys")
    assert first.returncode == 0, first.stdout
    time.sleep(max(0, end + 2 - time.time()))
    second = run_doit(tmp_path, "signing_keys")
    assert second.returncode == 1
    assert f"{keys}/rsa4BIOS.der: the certificate has expired, on " in second.stdout
    assert (tmp_path / "scripts-auto/.kbimg/stages/signing_keys/not-after").is_file()


def test_only_a_clean_that_names_the_keys_removes_them(tmp_path: Path):
    write(tmp_path)
    assert run_doit(tmp_path, "keys").returncode == 0
    keys = tmp_path / "scripts-auto/keys"
    before = (keys / "rsa4BIOS.der").read_bytes()
    for argv in (("clean",), ("clean", "vm_img"), ("clean", "-c", "vm_img"), ("clean", "-a")):
        assert run_doit(tmp_path, *argv).returncode == 0
        assert (keys / "rsa4BIOS.der").read_bytes() == before, argv
    assert run_doit(tmp_path, "clean", "keys").returncode == 0
    assert not keys.exists()
