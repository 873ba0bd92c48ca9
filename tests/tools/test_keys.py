"""Keys: made and opened, and an error for each wrong kind."""

from __future__ import annotations

import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from kbimg_tasks.build.runner import perform
from kbimg_tasks.host.containment import CONTAINMENT
from kbimg_tasks.host.installation import PARENT
from kbimg_tasks.stages import keys
from kbimg_tasks.steps.args import Secret
from kbimg_tasks.steps.layout import Layout
from kbimg_tasks.tools import checksum

# RSA keys of 4096 bits take too long for a quick run.
pytestmark = pytest.mark.image

EFI, GRUB = "efi phrase\n", "openpgp phrase\n"


@pytest.fixture(scope="module")
def made(tmp_path_factory) -> Path:
    """A folder of keys as a build makes it."""
    layout = Layout(tmp_path_factory.mktemp("out"), tmp_path_factory.mktemp("cache"))
    stage = keys.kept(Secret("efi", EFI), Secret("grub", GRUB), 3)
    perform(stage, layout)
    return layout.out / "keys"


@pytest.fixture
def own(made: Path, tmp_path: Path) -> Path:
    """A copy that a test can change."""
    return Path(shutil.copytree(made, tmp_path / "keys"))


def in_memory(name: str, *argv: object, stdin: str) -> subprocess.CompletedProcess:
    """Run a tool as its stage does."""
    tools = [sys.executable, "-m"]
    return subprocess.run(
        [
            *CONTAINMENT,
            *tools,
            "kbimg_tasks.tools.sandboxed",
            "--root=/dev",
            "--tmpfs=/shm",
            "--",
            *tools,
            f"kbimg_tasks.tools.{name}",
            *map(str, argv),
        ],
        input=stdin,
        text=True,
        capture_output=True,
        check=False,
        env={
            "PATH": "/usr/sbin:/usr/bin:/sbin:/bin",
            "PYTHONPATH": str(PARENT),
            "LC_ALL": "C.UTF-8",
        },
    )


def take_efi(source: Path, tmp_path: Path, phrase: str = EFI) -> subprocess.CompletedProcess:
    target = tmp_path / "taken"
    target.mkdir(exist_ok=True)
    return in_memory("efi_key", source, target, f"--not-after={tmp_path / 'end'}", stdin=phrase)


def take_openpgp(
    source: Path, tmp_path: Path, phrase: str = GRUB, *more: str
) -> subprocess.CompletedProcess:
    target = tmp_path / "taken"
    target.mkdir(exist_ok=True)
    return in_memory("openpgp", "take", source, target, *more, stdin=phrase)


def test_what_is_made(made: Path):
    assert made.stat().st_mode & 0o777 == 0o700
    for path in made.rglob("*"):
        assert not path.stat().st_mode & 0o077 or path.name == "README.md", path
    assert "ENCRYPTED" in (made / "rsa4BIOS.key").read_text()
    assert {path.name for path in made.iterdir()} == {
        "README.md",
        "certdb",
        "gpg.key",
        "gpg.sec",
        "rsa4BIOS.crt",
        "rsa4BIOS.der",
        "rsa4BIOS.key",
    }
    assert "The certificate ends: notAfter=" in (made / "README.md").read_text()


def test_good_keys(made: Path, tmp_path: Path):
    for done in (take_efi(made, tmp_path), take_openpgp(made, tmp_path)):
        assert done.returncode == 0, done.stderr
    assert {path.name for path in (tmp_path / "taken").iterdir()} == {
        "gpg.key",
        "gpg.sec",
        "rsa4BIOS.crt",
        "rsa4BIOS.der",
        "rsa4BIOS.key",
    }
    assert int((tmp_path / "end").read_text()) > 0


def test_keys_of_the_former_tool(own: Path, tmp_path: Path):
    """Legacy kbimg keeps the Secure Boot key only in certdb."""
    (own / "rsa4BIOS.key").unlink()
    (own / "rsa4BIOS.crt").unlink()
    done = take_efi(own, tmp_path)
    assert done.returncode == 0, done.stderr
    assert "ENCRYPTED" in (tmp_path / "taken/rsa4BIOS.key").read_text()


@pytest.fixture(scope="module")
def keyring() -> Iterator[Path]:
    """A keyring like root's, with a key as legacy kbimg makes it, and the files of legacy kbimg."""
    with tempfile.TemporaryDirectory(prefix="gpg") as home:
        gpg = [
            "gpg",
            "--homedir",
            home,
            "--batch",
            "--quiet",
            "--pinentry-mode",
            "loopback",
            "--passphrase-fd",
            "0",
        ]
        for words in (
            ["--quick-generate-key", "gpgKey4kubeos", "rsa4096", "sign", "never"],
            ["--output", f"{home}/gpg.key", "--export", "gpgKey4kubeos"],
        ):
            subprocess.run([*gpg, *words], input=GRUB, text=True, check=True)
        yield Path(home)
        subprocess.run(["gpgconf", "--homedir", home, "--kill", "all"], check=True)


def test_an_openpgp_key_of_the_former_tool(own: Path, keyring: Path, tmp_path: Path):
    """The keys_dir of legacy kbimg has the public part; the secret part is in the builder's
    keyring."""
    (own / "gpg.sec").unlink()
    shutil.copy(keyring / "gpg.key", own)
    where = f"--keyring={keyring}"
    done = take_openpgp(own, tmp_path, GRUB, where)
    assert done.returncode == 0, done.stderr
    taken = subprocess.run(
        ["gpg", "--list-packets", tmp_path / "taken/gpg.sec"],
        check=True,
        capture_output=True,
        text=True,
    ).stdout
    assert ":secret key packet:" in taken
    assert "iter+salt S2K" in taken, "it lies there behind its passphrase"
    done = take_openpgp(own, tmp_path, "another\n", where)
    assert done.returncode == 1
    assert f"openpgp: expected the passphrase of the OpenPGP key in {keyring}" in done.stderr


@pytest.mark.parametrize("without_file", [False, True])
def test_wrong_passphrase_of_the_secure_boot_key(own: Path, tmp_path: Path, without_file):
    if without_file:
        (own / "rsa4BIOS.key").unlink()
    done = take_efi(own, tmp_path, "another\n")
    assert done.returncode == 1
    assert "efi_key: expected the passphrase of" in done.stderr


def test_wrong_passphrase_of_the_openpgp_key(own: Path, tmp_path: Path):
    done = take_openpgp(own, tmp_path, "another\n")
    assert done.returncode == 1
    assert "openpgp: expected the passphrase of the OpenPGP key" in done.stderr


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("rsa4BIOS.der", "has no rsa4BIOS.der, the Secure Boot certificate"),
        ("gpg.key", "has no gpg.key, the public OpenPGP key"),
        ("gpg.sec", "has no gpg.sec, and the secret OpenPGP key"),
    ],
)
def test_missing_files(own: Path, tmp_path: Path, name, words):
    (own / name).unlink()
    done = take_openpgp(own, tmp_path) if name.startswith("gpg") else take_efi(own, tmp_path)
    assert done.returncode == 1
    assert words in done.stderr


def openssl(*argv: object) -> None:
    subprocess.run(["openssl", *map(str, argv)], check=True, capture_output=True)


def certificate(own: Path, key: Path, *more: str, behind: tuple = ()) -> None:
    """Replace the certificate."""
    subprocess.run(
        [
            *behind,
            "openssl",
            "req",
            "-new",
            "-x509",
            "-key",
            key,
            "-passin",
            f"pass:{EFI.strip()}",
            "-subj",
            "/CN=another",
            *more,
            "-outform",
            "DER",
            "-out",
            own / "rsa4BIOS.der",
        ],
        check=True,
        capture_output=True,
    )


def test_a_key_of_another_kind(own: Path, tmp_path: Path):
    openssl(
        "genpkey",
        "-algorithm",
        "EC",
        "-pkeyopt",
        "ec_paramgen_curve:P-256",
        "-aes-256-cbc",
        "-pass",
        f"pass:{EFI.strip()}",
        "-out",
        own / "rsa4BIOS.key",
    )
    certificate(own, own / "rsa4BIOS.key")
    done = take_efi(own, tmp_path)
    assert done.returncode == 1
    assert "expected a Secure Boot key of RSA, found" in done.stderr


def another_key(folder: Path) -> Path:
    key = folder / "other.key"
    openssl("genpkey", "-algorithm", "RSA", "-pkeyopt", "rsa_keygen_bits:2048", "-out", key)
    return key


def test_a_certificate_of_another_key(own: Path, tmp_path: Path):
    certificate(own, another_key(tmp_path))
    done = take_efi(own, tmp_path)
    assert done.returncode == 1
    assert "the Secure Boot key is not that of rsa4BIOS.der" in done.stderr


def test_an_expired_certificate(own: Path, tmp_path: Path):
    certificate(
        own, own / "rsa4BIOS.key", "-days", "30", behind=("faketime", "-f", "2020-01-01 00:00:00")
    )
    done = take_efi(own, tmp_path)
    assert done.returncode == 1
    assert "the certificate has expired, on Jan 31 00:00:00 2020 GMT" in done.stderr


def test_a_private_key_in_the_clear(own: Path, tmp_path: Path):
    openssl("genpkey", "-algorithm", "RSA", "-out", own / "rsa4BIOS.key")
    done = take_efi(own, tmp_path)
    assert done.returncode == 1
    assert "expected a private key behind a passphrase" in done.stderr


def test_no_secret_in_the_clear_reaches_a_disk(made: Path):
    for path in made.rglob("*"):
        if path.is_file():
            content = path.read_bytes()
            assert EFI.strip().encode() not in content and GRUB.strip().encode() not in content


def unsigned_program() -> Path:
    """An EFI program of this host without a signature: iPXE, of Debian or openEuler."""
    places = ("/usr/lib/ipxe/snponly.efi", "/usr/share/ipxe/ipxe-snponly-x86_64.efi")
    return next(Path(place) for place in places if Path(place).exists())


@pytest.fixture(scope="module")
def signed(made: Path, tmp_path_factory) -> Path:
    """A folder with the opened keys, an EFI program and a file with an OpenPGP signature."""
    folder = tmp_path_factory.mktemp("signed")
    assert take_efi(made, folder).returncode == 0
    assert take_openpgp(made, folder).returncode == 0
    program, file = folder / "kernel.efi", folder / "grub.cfg"
    done = in_memory(
        "sign_efi",
        folder / "taken",
        "--clock=1700000000",
        f"{unsigned_program()}={program}",
        stdin=EFI,
    )
    assert done.returncode == 0, done.stderr
    file.write_text("set timeout=5\n")
    done = in_memory(
        "openpgp", "sign", folder / "taken", "--clock=1700000000", f"{file}={file}.sig", stdin=GRUB
    )
    assert done.returncode == 0, done.stderr
    return folder


def check_signatures(keys: Path, folder: Path) -> subprocess.CompletedProcess:
    return in_memory(
        "check_signatures", keys, 1, folder / "kernel.efi", folder / "grub.cfg", stdin=""
    )


def test_good_signatures_are_reported_with_checksums(signed: Path):
    done = check_signatures(signed / "taken", signed)
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines() == [
        f"{checksum.of_file(signed / name)}  {kind:<11}  {name}"
        for name, kind in (("kernel.efi", "Secure Boot"), ("grub.cfg", "OpenPGP"))
    ]


@pytest.mark.parametrize(
    "spoiled", ["changed file", "no signature", "unsigned program", "changed program", "other key"]
)
def test_a_bad_signature_is_named(signed: Path, own: Path, tmp_path: Path, spoiled: str):
    folder = Path(shutil.copytree(signed, tmp_path / "signed"))
    keys, name = folder / "taken", "grub.cfg"
    if spoiled == "changed file":
        (folder / name).write_text("set timeout=6\n")
    elif spoiled == "no signature":
        (folder / f"{name}.sig").unlink()
    elif spoiled == "unsigned program":
        name = "kernel.efi"
        shutil.copy(unsigned_program(), folder / name)
    elif spoiled == "changed program":
        name = "kernel.efi"
        content = bytearray((folder / name).read_bytes())
        content[len(content) // 2] ^= 1
        (folder / name).write_bytes(content)
    else:
        name = "kernel.efi"
        certificate(own, another_key(tmp_path))
        openssl("x509", "-in", own / "rsa4BIOS.der", "-out", keys / "rsa4BIOS.crt")
        shutil.copy(own / "rsa4BIOS.der", keys / "rsa4BIOS.der")
    done = check_signatures(keys, folder)
    assert done.returncode == 1
    assert f"check_signatures: {name} is not signed as nodes demand it: " in done.stderr


@pytest.mark.parametrize("signer", ["sbsign", "pesign"])
def test_either_signing_program(made: Path, tmp_path: Path, signer):
    """Without the other program; both programs of the host verify the result."""
    assert take_efi(made, tmp_path).returncode == 0
    programs = tmp_path / "bin"
    programs.mkdir()
    for name in (signer, "openssl", "certutil", "pk12util", "faketime"):
        (programs / name).symlink_to(str(shutil.which(name)))
    source = unsigned_program()
    signed = [tmp_path / f"{number}.efi" for number in (1, 2)]
    for target in signed:
        done = subprocess.run(
            [
                *CONTAINMENT,
                sys.executable,
                "-m",
                "kbimg_tasks.tools.sandboxed",
                "--root=/dev",
                "--tmpfs=/shm",
                "--",
                "env",
                f"PATH={programs}",
                sys.executable,
                "-m",
                "kbimg_tasks.tools.sign_efi",
                str(tmp_path / "taken"),
                "--clock=1700000000",
                f"{source}={target}",
            ],
            input=EFI,
            text=True,
            capture_output=True,
            check=False,
            env={"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "PYTHONPATH": str(PARENT)},
        )
        assert done.returncode == 0, done.stderr
    assert signed[0].read_bytes() == signed[1].read_bytes()
    subprocess.run(
        ["sbverify", "--cert", made / "rsa4BIOS.crt", signed[0]], check=True, capture_output=True
    )
