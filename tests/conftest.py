"""Builds that many tests read, made once for a whole test run."""

from __future__ import annotations

import fcntl
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import engines
import hypothesis
import pytest
import shared
import tiny
import verified
import wheels
from building import KUBERNETES, PACKAGES, build, write_config, write_custom
from groups import Groups

from kbimg_tasks.machine.architecture import AARCH64, X86_64, Architecture

# On AArch64 cloud-init asks every cloud that it knows, which takes minutes where there is none.
WITHOUT_CLOUD_INIT = """
[[copy_files]]
src = "cloud-init.disabled"
dst = "/etc/cloud"
"""
REPOSITORIES = Path("/var/cache/kbimg/demo-rpms")


def pytest_addoption(parser: pytest.Parser) -> None:
    """The number of kills of the fault injection."""
    parser.addoption(
        "--kills", type=int, help="builds that each test of tests/faults/test_kills.py kills"
    )


def pytest_configure(config: pytest.Config) -> None:
    """Property tests get few examples, and many in the long rung."""
    hypothesis.settings.register_profile("some", deadline=None, max_examples=50)
    hypothesis.settings.register_profile("many", deadline=None, max_examples=2000)
    hypothesis.settings.load_profile("many" if is_long_run(config) else "some")


def pytest_itemcollected(item: pytest.Item) -> None:
    """Property tests also belong to the long rung."""
    if is_long_run(item.config) and hypothesis.is_hypothesis_test(getattr(item, "obj", None)):
        item.add_marker("long")


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> Groups:
    """The scheduler that distributes tests to workers."""
    return Groups(config, log)


def is_long_run(config: pytest.Config) -> bool:
    """Whether this is `pytest -m long`."""
    return config.getoption("markexpr") == "long"


def made_repository(architecture: Architecture) -> Path:
    """The demonstration's repository for an architecture, made if it does not exist."""
    REPOSITORIES.mkdir(parents=True, exist_ok=True)
    with (REPOSITORIES / ".tests").open("w") as guard:
        fcntl.flock(guard, fcntl.LOCK_EX)  # one of the test workers makes it
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
    """The wheel of the package."""
    (made,) = shared.made(tmp_path_factory, "wheel", wheels.build).glob("kbimg-*.whl")
    return made


@pytest.fixture(scope="session")
def repository() -> Path:
    """The demonstration's repository for x86-64."""
    return made_repository(X86_64)


@pytest.fixture(scope="session")
def arm_repository() -> Path:
    """The demonstration's repository for AArch64."""
    return made_repository(AARCH64)


@pytest.fixture(scope="session")
def tiny_repo(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The repository file of made-up packages, from which an image builds in seconds."""
    return tiny.repo_file(shared.made(tmp_path_factory, "tiny", tiny.make))


@pytest.fixture(scope="session")
def custom_image(repository: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The output directory of a build that uses every option of vm_img."""

    def make(folder: Path) -> None:
        write_custom(folder)
        build(folder)

    return shared.made(tmp_path_factory, "custom", make) / "scripts-auto"


@pytest.fixture(scope="session")
def verified_image(repository: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The output directory of such a build with dm-verity and Secure Boot."""
    return shared.made(tmp_path_factory, "verified", verified.build_watched) / "scripts-auto"


@pytest.fixture(scope="session")
def legacy_image(repository: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The output directory of such a build for machines with a BIOS."""

    def make(folder: Path) -> None:
        path = write_custom(folder)
        path.write_text(path.read_text().replace("legacy_bios = false", "legacy_bios = true"))
        build(folder)

    return shared.made(tmp_path_factory, "legacy", make) / "scripts-auto"


@pytest.fixture(scope="session")
def arm_image(arm_repository: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The output directory of such a build for AArch64, with its upgrade image."""

    def make(folder: Path) -> None:
        path = write_custom(folder)
        text = path.read_text().replace("version =", 'upgrade_img = "arm:v1"\nversion =')
        path.write_text(text + WITHOUT_CLOUD_INIT)
        (folder / "cloud-init.disabled").touch()
        build(folder, "arch=arm64", "engine=none", "upgrade_img")

    return shared.made(tmp_path_factory, "arm", make) / "scripts-auto"


@pytest.fixture(scope="session")
def plain_image(repository: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The output directory of a build without Kubernetes and without options."""

    def make(folder: Path) -> None:
        write_config(folder, tuple(name for name in PACKAGES if name not in KUBERNETES))
        build(folder)

    return shared.made(tmp_path_factory, "plain", make) / "scripts-auto"


@pytest.fixture(scope="session")
def docker() -> Iterator[engines.Engine]:
    """Docker, running during the tests."""
    with engines.docker() as engine:
        yield engine


@pytest.fixture(scope="session")
def podman() -> Iterator[engines.Engine]:
    """Podman with its own storage."""
    with engines.podman() as engine:
        yield engine


@pytest.fixture(scope="session")
def containerd() -> Iterator[engines.Engine]:
    """containerd, running during the tests."""
    with engines.containerd() as engine:
        yield engine
