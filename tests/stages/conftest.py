"""A configuration's stages, each run alone on a tree of a few files. The artifacts that a stage
needs are put in their places."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator, Mapping
from functools import partial
from pathlib import Path
from typing import Any, Callable, Union

import pytest
import tiny
from building import write_config

from kbimg_tasks.build.runner import perform
from kbimg_tasks.config.load import load
from kbimg_tasks.plan.images import plan
from kbimg_tasks.plan.root import Given
from kbimg_tasks.steps.layout import Layout

CLOCK = 1700000000
SIZES = "[disk_partition]\nroot = 256\nimg_size = 3\n"
EFI_PHRASE, GRUB_PHRASE = "efi phrase", "openpgp phrase"
# The content of a file, or the target of a link. A script starts with #!.
Tree = Mapping[str, Union[str, bytes, Path]]


class Bench:
    """The stages of a configuration, in an output directory of their own."""

    def __init__(self, folder: Path, text: str, **given: Any) -> None:
        folder.mkdir(exist_ok=True)
        (folder / "kbimg.toml").write_text(text, encoding="utf-8")
        planned = plan(load(folder / "kbimg.toml", folder), Given(epoch=str(CLOCK), **given))
        self.stages = {stage.name: stage for stage in planned.stages}
        self.layout = Layout(folder / "out", folder / "cache")
        self.layout.out.mkdir()

    def path(self, stage: str, artifact: str) -> Path:
        """The path of a stage's artifact."""
        return self.layout.published(self.stages[stage][artifact])

    def put(self, stage: str, artifact: str, content: Tree | str | bytes) -> Path:
        """Put an artifact in its published place."""
        place = self.path(stage, artifact)
        place.parent.mkdir(parents=True, exist_ok=True)
        if isinstance(content, Mapping):
            place.mkdir()
            fill(place, content)
        else:
            place.write_bytes(_bytes(content))
        return place

    def make(self, stage: str) -> dict[str, Path]:
        """Run a stage. Returns its artifacts."""
        perform(self.stages[stage], self.layout)
        return {
            artifact.name: self.layout.published(artifact)
            for artifact in self.stages[stage].artifacts
        }


def fill(top: Path, content: Tree) -> None:
    """Write a tree whose files have the clock's time."""
    for name, what in content.items():
        path = top / name
        path.parent.mkdir(parents=True, exist_ok=True)
        if name.endswith("/"):
            path.mkdir(exist_ok=True)
        elif isinstance(what, Path):
            path.symlink_to(what)
        else:
            path.write_bytes(_bytes(what))
            path.chmod(0o755 if path.read_bytes().startswith((b"#!", b"\x7fELF")) else 0o644)
    for folder, _, names in os.walk(top):
        for name in (*names, ""):
            os.utime(os.path.join(folder, name), (CLOCK, CLOCK), follow_symlinks=False)


def _bytes(content: str | bytes) -> bytes:
    return content.encode() if isinstance(content, str) else content


MakeBench = Callable[..., Bench]


@pytest.fixture(scope="session")
def new_bench() -> MakeBench:
    """Make a bench in a folder: for a virtual machine from packages with `more` in its
    configuration, or for the configuration `text`. The other arguments are those of a plan."""

    def make(folder: Path, more: str = "", text: str = "", **given: Any) -> Bench:
        text = text or write_config(folder, ("kernel",), SIZES + more).read_text()
        return Bench(folder, text, **given)

    return make


@pytest.fixture
def bench(new_bench: MakeBench, tmp_path: Path) -> MakeBench:
    """Make a bench in the test's folder."""
    return partial(new_bench, tmp_path)


@pytest.fixture(scope="session")
def system() -> Tree:
    """A root tree like that of `rootfs`, with the host's shell and tools, in which programs can
    run; its dracut, GRUB and systemctl write their arguments to files."""
    content: dict[str, str | bytes | Path] = {f"{name}/": "" for name in tiny.FOLDERS}
    content |= {name: Path(target) for name, target in tiny.LINKS.items()}
    for package in tiny.packages():
        if package.name in ("filesystem", "kernel"):
            content |= {**package.files, **package.programs}
    content["boot/vmlinuz"] = content.pop(f"boot/vmlinuz-{tiny.VERSION}")
    content["usr/share/factory/var/lib/"] = ""
    return content


@pytest.fixture(scope="session")
def put_system(system: Tree) -> Callable[[Bench], None]:
    """Put that tree on a bench, with the other artifacts of its stage."""

    def put(bench: Bench) -> None:
        bench.put("rootfs", "rootfs", system)
        bench.put("rootfs", "kernel-version", f"{tiny.VERSION}\n")
        bench.put("rootfs", "compressor", "gzip -1 -n\n")

    return put


VERIFIED = (
    f'[grub]\npasswd = "foo"\n[dm_verity]\nefi_key = "{EFI_PHRASE}"\ngrub_key = "{GRUB_PHRASE}"\n'
)


@pytest.fixture
def verified(bench: MakeBench) -> Bench:
    """The stages of a verified virtual machine."""
    return bench(VERIFIED)


@pytest.fixture(scope="module")
def signing(
    new_bench: MakeBench, signing_keys: Path, tmp_path_factory: pytest.TempPathFactory
) -> Bench:
    """Such a bench with signing keys, shared by all tests of a file."""
    made = new_bench(tmp_path_factory.mktemp("signing"), VERIFIED)
    shutil.copytree(signing_keys, made.path("signing_keys", "keys"))
    return made


@pytest.fixture(scope="session")
def signing_keys(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """The artifacts of the stage of that name, with keys of half the length."""
    folder = tmp_path_factory.mktemp("signing-keys")
    key, certificate = folder / "rsa4BIOS.key", folder / "rsa4BIOS.crt"
    openssl = (
        ("genpkey", "-quiet", "-algorithm", "RSA", "-pkeyopt", "rsa_keygen_bits:2048")
        + ("-aes-256-cbc", "-pass", f"pass:{EFI_PHRASE}", "-out", key),
        ("req", "-new", "-x509", "-key", key, "-passin", f"pass:{EFI_PHRASE}", "-subj", "/CN=us")
        + ("-addext", "extendedKeyUsage=codeSigning", "-out", certificate),
        ("x509", "-in", certificate, "-outform", "DER", "-out", folder / "rsa4BIOS.der"),
    )
    for words in openssl:
        subprocess.run(["openssl", *words], check=True)
    home = tempfile.mkdtemp(prefix="gpg")  # a short path: GnuPG's sockets are in it
    # Without it the agent first measures how many rounds take 100 ms, which takes it seconds.
    (Path(home) / "gpg-agent.conf").write_text("s2k-count 65536\n", encoding="ascii")
    gpg = ("gpg", "--homedir", home, "--batch", "--quiet", "--passphrase", GRUB_PHRASE)
    loopback = ("--pinentry-mode", "loopback")
    for arguments in (
        ("--quick-generate-key", "us", "rsa2048", "sign", "never"),
        ("--output", folder / "gpg.key", "--export"),
        ("--output", folder / "gpg.sec", "--export-secret-keys"),
    ):
        subprocess.run([*gpg, *loopback, *arguments], check=True)
    yield folder
    subprocess.run(["gpgconf", "--homedir", home, "--kill", "all"], check=False)
    shutil.rmtree(home)
