"""Container engines for one test, which leave nothing behind."""

from __future__ import annotations

import contextlib
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

from attrs import frozen

from kbimg_tasks.host.containment import CONTAINMENT

START_SECONDS = 60


@frozen
class Engine:
    """A running engine: its command, and the environment variables that select it."""

    command: str
    env: dict[str, str]

    def run(self, *argv: str, check: bool = True) -> subprocess.CompletedProcess[str]:
        """Run the engine's command. Docker's classic builder is used, since BuildKit can be
        missing."""
        done = subprocess.run(
            [self.command, *argv],
            text=True,
            check=False,
            capture_output=True,
            stdin=subprocess.DEVNULL,
            env={**os.environ, "DOCKER_BUILDKIT": "0", **self.env},
        )
        assert not check or done.returncode == 0, done.stdout + done.stderr
        return done

    def save_file(self, image: str, name: str, target: Path) -> None:
        """Save a file of an image, through a container that never runs."""
        container = self.run("create", image, "none").stdout.strip()
        self.run("cp", f"{container}:{name}", str(target))
        self.run("rm", container)


@contextlib.contextmanager
def folder() -> Iterator[Path]:
    """A folder with a short name: a socket's path may have 107 characters."""
    place = Path(tempfile.mkdtemp(prefix="kbimg-"))
    try:
        yield place
    finally:
        # There can be mounts below, and files that even root cannot delete at once.
        subprocess.run(["umount", "--quiet", "--recursive", str(place)], check=False)
        shutil.rmtree(place)


@contextlib.contextmanager
def serving(argv: Sequence[str], log: Path, *is_ready: str, **env: str) -> Iterator[None]:
    """A daemon in its own namespaces; the command `is_ready` has succeeded. Its mounts and child
    processes end with it."""
    with (
        log.open("wb") as out,
        subprocess.Popen(
            [*CONTAINMENT, *argv],
            stdout=out,
            stderr=out,
            stdin=subprocess.DEVNULL,
            start_new_session=True,
        ) as process,
    ):
        try:
            end = time.monotonic() + START_SECONDS
            while (
                subprocess.run(
                    is_ready, check=False, capture_output=True, env={**os.environ, **env}
                ).returncode
                != 0
            ):
                assert process.poll() is None, log.read_text()
                assert time.monotonic() < end, log.read_text()
                time.sleep(0.2)
            yield
        finally:
            process.kill()


@contextlib.contextmanager
def docker() -> Iterator[Engine]:
    """Docker without a network."""
    with folder() as place:
        host = f"unix://{place}/s"
        argv = [
            "dockerd",
            "--data-root",
            f"{place}/data",
            "--exec-root",
            f"{place}/exec",
            "--host",
            host,
            "--pidfile",
            f"{place}/pid",
            "--iptables=false",
            "--ip6tables=false",
            "--bridge=none",
            "--ip-forward=false",
            "--ip-masq=false",
            "--storage-driver=overlay2",
        ]
        with serving(argv, place / "log", "docker", "version", DOCKER_HOST=host):
            yield Engine("docker", {"DOCKER_HOST": host})


@contextlib.contextmanager
def podman() -> Iterator[Engine]:
    """Podman with its own storage."""
    with folder() as place:
        (place / "storage.conf").write_text(
            f'[storage]\ndriver = "overlay"\ngraphroot = "{place}/root"\nrunroot = "{place}/run"\n'
        )
        yield Engine(
            "podman", {"CONTAINERS_STORAGE_CONF": str(place / "storage.conf"), "TMPDIR": str(place)}
        )


@contextlib.contextmanager
def containerd() -> Iterator[Engine]:
    """containerd with its command ctr."""
    with folder() as place:
        address = f"{place}/s"
        (place / "config.toml").write_text(
            f'version = 2\nroot = "{place}/root"\nstate = "{place}/state"\n'
            'disabled_plugins = ["io.containerd.grpc.v1.cri"]\n'
            f'[grpc]\naddress = "{address}"\n[ttrpc]\naddress = "{place}/t"\n'
        )
        with serving(
            ["containerd", "--config", f"{place}/config.toml"],
            place / "log",
            "ctr",
            "--address",
            address,
            "version",
        ):
            yield Engine("ctr", {"CONTAINERD_ADDRESS": address})


@contextlib.contextmanager
def registry(port: int) -> Iterator[str]:
    """A registry on this machine: its host and port, as in an image name."""
    with folder() as place:
        (place / "config.yml").write_text(
            "version: 0.1\nlog: {level: error}\n"
            f"storage: {{filesystem: {{rootdirectory: {place}/data}}}}\n"
            f"http: {{addr: '127.0.0.1:{port}'}}\n"
        )
        address = f"127.0.0.1:{port}"
        with serving(
            ["docker-registry", "serve", f"{place}/config.yml"],
            place / "log",
            sys.executable,
            "-c",
            f"from urllib.request import urlopen; urlopen('http://{address}/v2/')",
        ):
            yield address
