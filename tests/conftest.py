"""Builds that many tests look at: made once for a whole run of the tests."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Iterator

import engines
import pytest
import secure_boot
from building import KUBERNETES, PACKAGES, build, write_config, write_custom

REPOSITORY = Path("/var/cache/kbimg/demo-rpms")


def pytest_addoption(parser: pytest.Parser) -> None:
    """How long the fault injection goes on."""
    parser.addoption("--kills", type=int, default=40, help="builds that tests/faults kills")


@pytest.fixture(scope="session")
def repository() -> Path:
    """The demonstration's repository, made unless it is there."""
    subprocess.run([sys.executable, "-m", "kbimg_tasks.demo_repo", "--if-missing"], check=True,
                   cwd="/")
    return REPOSITORY


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
