"""Builds that many tests look at: made once for a whole run of the tests."""

from __future__ import annotations

import fcntl
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import engines
import pytest
import secure_boot
import wheels
from building import KUBERNETES, PACKAGES, build, write_config, write_custom

from kbimg_tasks.machine.architecture import AARCH64, X86_64, Architecture

# On AArch64 cloud-init asks every cloud that it knows, which takes minutes where there is none.
WITHOUT_CLOUD_INIT = """
[[copy_files]]
src = "cloud-init.disabled"
dst = "/etc/cloud"
"""
REPOSITORIES = Path("/var/cache/kbimg/demo-rpms")


def pytest_addoption(parser: pytest.Parser) -> None:
    """How long the fault injection goes on."""
    parser.addoption("--kills", type=int, default=40, help="builds that tests/faults kills")


def made_repository(architecture: Architecture) -> Path:
    """The demonstration's repository for an architecture, made unless it is there."""
    REPOSITORIES.mkdir(parents=True, exist_ok=True)
    with (REPOSITORIES / ".tests").open("w") as guard:
        fcntl.flock(guard, fcntl.LOCK_EX)  # of several workers of the tests one makes it
        subprocess.run(
            [
                sys.executable,
                "-m",
                "kbimg_tasks.demo_repo",
                "--if-missing",
                f"--arch={architecture.oci}",
            ],
            check=True,
            cwd="/",
        )
    return REPOSITORIES / architecture.name


@pytest.fixture(scope="session")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The package, as it is installed from."""
    return wheels.built(tmp_path_factory.mktemp("wheel"))


@pytest.fixture(scope="session")
def repository() -> Path:
    """The demonstration's repository for x86-64."""
    return made_repository(X86_64)


@pytest.fixture(scope="session")
def arm_repository() -> Path:
    """The demonstration's repository for AArch64."""
    return made_repository(AARCH64)


@pytest.fixture(scope="session")
def custom_image(repository: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The output directory of a build that uses every option of vm_img."""
    folder = tmp_path_factory.mktemp("custom")
    write_custom(folder)
    return build(folder)


@pytest.fixture(scope="session")
def verified_image(repository: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The same with dm-verity and Secure Boot."""
    folder = tmp_path_factory.mktemp("verified")
    path = write_custom(folder)
    path.write_text(path.read_text() + secure_boot.DM_VERITY)
    return build(folder)


@pytest.fixture(scope="session")
def legacy_image(repository: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The same for machines with a BIOS."""
    folder = tmp_path_factory.mktemp("legacy")
    path = write_custom(folder)
    path.write_text(path.read_text().replace("legacy_bios = false", "legacy_bios = true"))
    return build(folder)


@pytest.fixture(scope="session")
def arm_image(arm_repository: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The same for AArch64."""
    folder = tmp_path_factory.mktemp("arm")
    path = write_custom(folder)
    path.write_text(path.read_text() + WITHOUT_CLOUD_INIT)
    (folder / "cloud-init.disabled").touch()
    return build(folder, "arch=aarch64")


@pytest.fixture(scope="session")
def plain_image(repository: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The output directory of a build without Kubernetes and without options."""
    folder = tmp_path_factory.mktemp("plain")
    write_config(folder, tuple(name for name in PACKAGES if name not in KUBERNETES))
    return build(folder)


@pytest.fixture(scope="session")
def docker() -> Iterator[engines.Engine]:
    """Docker's engine, for the time of the tests."""
    with engines.docker() as engine:
        yield engine


@pytest.fixture(scope="session")
def podman() -> Iterator[engines.Engine]:
    """Podman, with a store of the tests' own."""
    with engines.podman() as engine:
        yield engine


@pytest.fixture(scope="session")
def containerd() -> Iterator[engines.Engine]:
    """containerd, for the time of the tests."""
    with engines.containerd() as engine:
        yield engine
