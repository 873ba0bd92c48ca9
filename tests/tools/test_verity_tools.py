"""The tools of a verified image, with real input and with input that they must refuse."""

from __future__ import annotations

import struct
import subprocess
import uuid
from pathlib import Path

import pytest

from kbimg_tasks.tools import pe
from kbimg_tasks.tools.take_section import certificates

X509 = uuid.UUID("a5c059a1-94e4-4aa7-87b5-ab155c2bf072")
SHA256 = uuid.UUID("c1c41626-504c-4092-aca9-41f936934328")
OWNER = uuid.UUID("605dab50-e046-4300-abb6-3dd810dd8b23")
# A UEFI program that iPXE's package has on Debian, or on openEuler.
PROGRAM = next(
    path
    for path in (Path("/usr/lib/ipxe/snponly.efi"), Path("/usr/share/ipxe/ipxe-snponly-x86_64.efi"))
    if path.exists()
)
SALT, TREE_UUID = "ab" * 32, "07b3a88f-c00a-528f-aa10-2b34ad85bcac"


@pytest.fixture
def image(tmp_path: Path) -> Path:
    path = tmp_path / "root.img"
    path.write_bytes(bytes(range(256)) * 4096 * 8)  # 8 MiB
    return path


def hash_tree(tool, image: Path, at_most_mib: int) -> subprocess.CompletedProcess:
    return tool(
        "hash_tree",
        image,
        image.with_name("tree"),
        f"--salt={SALT}",
        f"--uuid={TREE_UUID}",
        f"--at-most-mib={at_most_mib}",
    )


def test_hash_tree(tool, image: Path):
    first = hash_tree(tool, image, 1)
    assert first.returncode == 0, first.stderr
    tree = image.with_name("tree")
    before = tree.read_bytes()
    tree.unlink()
    assert hash_tree(tool, image, 1).stdout == first.stdout
    assert tree.read_bytes() == before
    subprocess.run(["veritysetup", "verify", image, tree, first.stdout.strip()], check=True)
    image.write_bytes(b"x" + image.read_bytes()[1:])
    assert (
        subprocess.run(
            ["veritysetup", "verify", image, tree, first.stdout.strip()],
            check=False,
            capture_output=True,
        ).returncode
        != 0
    )


def test_hash_tree_too_large_for_its_partition(tool, image: Path):
    done = hash_tree(tool, image, 0)
    assert done.returncode == 1
    assert "hash_tree: the hash tree needs 1 MiB, and its partition has 0 MiB" in done.stderr


def test_hash_tree_of_nothing(tool, tmp_path: Path):
    done = hash_tree(tool, tmp_path / "missing", 1)
    assert done.returncode != 0
    assert "missing" in done.stderr


def signature_list(kind: uuid.UUID, *entries: bytes) -> bytes:
    """An EFI_SIGNATURE_LIST: UEFI specification, 32.4.1."""
    body = b"".join(OWNER.bytes_le + entry for entry in entries)
    return (kind.bytes_le + struct.pack("<III", 28 + len(body), 0, 16 + len(entries[0]))) + body


def vendor_section(trusted: bytes, revoked: bytes = b"") -> bytes:
    return struct.pack("<4I", len(trusted), len(revoked), 16, 16 + len(trusted)) + trusted + revoked


def test_shim_trusts_one_certificate():
    assert list(certificates(vendor_section(b"\x30\x82one", b"revoked"))) == [b"\x30\x82one"]


def test_shim_trusts_signature_lists():
    lists = (
        signature_list(X509, b"\x30\x82one", b"\x30\x82two")
        + signature_list(SHA256, b"h" * 32)
        + signature_list(X509, b"\x30\x82three")
    )
    assert list(certificates(vendor_section(lists))) == [
        b"\x30\x82one",
        b"\x30\x82two",
        b"\x30\x82three",
    ]


def test_shim_trusts_nobody():
    assert list(certificates(vendor_section(b""))) == []


def test_what_is_no_uefi_program(tool, tmp_path: Path):
    path = tmp_path / "text"
    path.write_text("no program\n")
    done = tool("take_section", "sbat", path)
    assert done.returncode == 1
    assert f"take_section: {path} is no UEFI program" in done.stderr


def test_a_program_without_the_section(tool, tmp_path: Path):
    done = tool("take_section", "vendor-certificates", PROGRAM, tmp_path)
    assert done.returncode == 1
    assert f"take_section: {PROGRAM} has no section .vendor_cert" in done.stderr


def test_signatures_are_taken_off(tmp_path: Path):
    """As sbattach does, without the checksum of the file, which is not checked."""
    subprocess.run(
        [
            "openssl",
            "req",
            "-new",
            "-x509",
            "-newkey",
            "rsa:2048",
            "-nodes",
            "-subj",
            "/CN=x",
            "-keyout",
            tmp_path / "key",
            "-out",
            tmp_path / "crt",
        ],
        check=True,
        capture_output=True,
    )
    signed, bare = tmp_path / "signed.efi", tmp_path / "bare.efi"
    subprocess.run(
        [
            "sbsign",
            "--key",
            tmp_path / "key",
            "--cert",
            tmp_path / "crt",
            "--output",
            signed,
            PROGRAM,
        ],
        check=True,
        capture_output=True,
    )
    bare.write_bytes(signed.read_bytes())
    subprocess.run(["sbattach", "--remove", bare], check=True)
    assert pe.unsigned(signed) == pe.unsigned(bare)
    assert len(pe.unsigned(signed)) < signed.stat().st_size


@pytest.mark.parametrize(
    ("needed", "lacking"),
    [
        ("sed=sed", ""),
        ("veritysetup=veritysetup", "there is no veritysetup: it is in veritysetup"),
        ("/boot/fbx64.efi=shim", "there is no /boot/fbx64.efi: it is in shim"),
    ],
)
def test_needed_programs(tool, tmp_path: Path, needed, lacking):
    files = tmp_path / "files"
    files.write_text("/usr/bin/sed\n/usr/share/doc/veritysetup\n/boot/efi/fbx64.efi\n")
    done = tool(
        "need_programs", files, "--lacking=there is no {program}: it is in {package}", needed
    )
    assert done.returncode == (1 if lacking else 0)
    assert lacking in done.stderr
