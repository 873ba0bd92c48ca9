"""The files of a verified image: no secret in them or while they are built, and equal bytes in two
builds."""

from __future__ import annotations

import re
import subprocess
import tarfile
import time
from datetime import datetime
from pathlib import Path

import pytest
import secure_boot
import verified
from building import DEMO, SMALL, TOP, run_doit, write_config
from pages import blocks

pytestmark = [pytest.mark.image, pytest.mark.timeout(1800)]

DAY = 24 * 60 * 60


def write(folder: Path, more: str = "", version: str = "v1") -> None:
    path = write_config(folder, SMALL, secure_boot.MORE + more + secure_boot.SIZES, version)
    path.write_text(
        path.read_text().replace(
            "version =", f'upgrade_img = "kubeos-upgrade:{version}"\nversion ='
        )
    )


@pytest.fixture(scope="module")
def folder(verified_image: Path) -> Path:
    """Where the shared verified image was built."""
    return verified_image.parent


def test_no_secret_in_any_arguments(folder):
    seen = (folder / verified.ARGUMENTS).read_bytes()
    for signer in verified.SIGNERS:
        assert signer in seen, "the programs that get secrets were seen"
    for secret in verified.SECRETS:
        assert secret not in seen


def test_no_secret_in_logs_or_files_for_others(folder):
    looked_at = 0
    for path in (folder / "output", *(folder / "scripts-auto").rglob("*")):
        if path.is_file() and not path.is_symlink() and path.stat().st_size < 64 << 20:
            content = path.read_bytes()
            looked_at += 1
            for secret in verified.SECRETS:
                assert secret not in content, path
            assert b"-----BEGIN PRIVATE KEY" not in content, path
            assert b"-----BEGIN RSA PRIVATE" not in content, path
    assert looked_at > 50
    for image in ("update-boot.img", "update-root.img", "system.img"):
        for secret in verified.SECRETS:
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


def test_the_upgrade_image_holds_a_slot(folder):
    out = folder / "scripts-auto"
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


def test_enrolling_as_the_documentation_says(folder, tmp_path: Path):
    """Its commands, run next to scripts-auto, make a variable store with both certificates."""
    (block,) = (
        block for block in blocks(TOP / "docs/howto/dm-verity.md") if "virt-fw-vars" in block.text
    )
    (tmp_path / "scripts-auto").symlink_to(folder / "scripts-auto")
    subprocess.run(["sh", "-eu", "-c", block.text], cwd=tmp_path, check=True)
    told = secure_boot.run(
        "virt-fw-vars", "--input", tmp_path / "variables.fd", "--print", "--verbose"
    )
    for variable in ("PK", "KEK", "db", "dbx"):
        assert re.search(rf"^name={variable}\b", told, re.MULTILINE), told
    assert "KubeOS Secure Boot" in told


def test_another_passphrase_is_told_before_anything_is_built(folder, tmp_path: Path):
    keys = folder / "scripts-auto/keys"
    write(tmp_path, f'keys_dir = "{keys}"\n')
    path = tmp_path / "kbimg.toml"
    text = path.read_text()
    path.write_text(text.replace(secure_boot.SECRETS["efi_key"], "words that open nothing"))
    line = text[: text.index("efi_key")].count("\n") + 1
    done = run_doit(tmp_path, "vm_img")
    assert done.returncode == 1
    assert f"kbimg.toml:{line}: dm_verity.efi_key: expected the passphrase of" in done.stdout
    assert "made    rootfs" not in done.stdout
    assert "words that open nothing" not in done.stdout


@pytest.mark.long
def test_two_builds_agree(tmp_path: Path):
    """Few packages, because they are installed twice."""
    write(tmp_path)
    done = run_doit(tmp_path, "reproduce")
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
    """The first build accepts the certificate, a later one rejects it and loses nothing."""
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


def test_keys_are_used_again_until_a_clean_names_them(tmp_path: Path):
    write(tmp_path)
    assert run_doit(tmp_path, "keys").returncode == 0
    keys = tmp_path / "scripts-auto/keys"
    before = (keys / "rsa4BIOS.der").read_bytes()
    for argv in (("clean",), ("clean", "vm_img"), ("clean", "-c", "vm_img"), ("clean", "-a")):
        assert run_doit(tmp_path, *argv).returncode == 0
        assert run_doit(tmp_path, "signing_keys").returncode == 0, argv
        assert (keys / "rsa4BIOS.der").read_bytes() == before, argv
    assert run_doit(tmp_path, "clean", "keys").returncode == 0
    assert not keys.exists()
