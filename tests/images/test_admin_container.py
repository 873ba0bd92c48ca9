"""The admin container, built in each way and run by a real engine."""

from __future__ import annotations

import json
import shlex
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import engines
import pytest
from building import DEMO, TOP, cached, made, run_doit
from pages import blocks

pytestmark = pytest.mark.image

NAME = "kubeos-admin-container:v1"
SECONDS = 60
# What docs/containers.md says that systemd needs: docker run, options, the secret's, the name.
(SHOWN,) = (
    block for block in blocks(TOP / "docs/containers.md") if block.text.startswith("docker run")
)
AS_A_SYSTEM = (
    *shlex.split(SHOWN.text.replace("\\\n", ""))[2:-3],
    "--security-opt",
    "apparmor=unconfined",
    "--network",
    "none",
)


def write(folder: Path, more: str, name: str = NAME) -> None:
    (folder / "kbimg.toml").write_text(
        f'[admin_container]\nimg_name = "{name}"\nhostshell = "/usr/bin/nsenter"\n{more}\n'
    )


@pytest.fixture(scope="module")
def built(repository: Path, docker: engines.Engine, tmp_path_factory) -> Path:
    """A folder with the container built out of packages, which is also loaded into Docker."""
    folder = tmp_path_factory.mktemp("admin")
    write(folder, f'repo_path = "{DEMO / "demo.repo"}"')
    done = run_doit(folder, "admin_container", "engine=docker", **docker.env)
    assert f"{NAME} is in docker" in done.stdout, done.stdout
    return folder


class Running:
    """A running container."""

    def __init__(self, docker: engines.Engine, name: str) -> None:
        self.docker, self.name = docker, name

    def run(self, command: str) -> str:
        return self.docker.run("exec", self.name, "sh", "-c", command).stdout

    def wait(self, command: str) -> str:
        """Wait until the command succeeds. Returns its output."""
        end = time.monotonic() + SECONDS
        while True:
            done = self.docker.run("exec", self.name, "sh", "-c", command, check=False)
            if done.returncode == 0:
                return done.stdout
            assert time.monotonic() < end, done.stdout + done.stderr
            time.sleep(0.5)


def start(docker: engines.Engine, name: str, *words: str, image: str = NAME) -> Running:
    docker.run("run", "--name", name, *AS_A_SYSTEM, *words, image)
    running = Running(docker, name)
    running.wait("systemctl is-system-running | grep -qx running")
    return running


@pytest.fixture(scope="module")
def secret(tmp_path_factory) -> Path:
    """The folder of the mounted secret, with a key of the operator."""
    folder = tmp_path_factory.mktemp("secret")
    for name in ("one", "two"):
        subprocess.run(
            ["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", name, "-f", folder / name],
            check=True,
        )
    (folder / "ssh-pub-key").write_text((folder / "one.pub").read_text())
    return folder


@pytest.fixture(scope="module")
def container(built: Path, docker: engines.Engine, secret: Path) -> Iterator[Running]:
    running = start(docker, "with-secret", "--volume", f"{secret}:/etc/secret-volume")
    yield running
    docker.run("rm", "--force", running.name)


def test_what_runs_in_it(docker, container):
    assert container.run("systemctl is-enabled kubeos-ssh-key.service sshd.service").split() == [
        "enabled",
        "enabled",
    ]
    assert container.run("readlink /proc/1/exe").strip().endswith("/systemd")
    assert container.run("cat /etc/machine-id").strip()
    shown = json.loads(docker.run("image", "inspect", NAME).stdout)[0]["Config"]
    assert shown["ExposedPorts"] == {"22/tcp": {}}
    assert shown["Cmd"] == ["/usr/sbin/init"]


def test_hostshell(container):
    assert (
        container.run("stat --format='%a %U:%G' /usr/local/bin/hostshell").strip()
        == "500 root:root"
    )
    assert "from util-linux" in container.run("/usr/local/bin/hostshell --version")


def test_the_key_logs_in(container, secret):
    assert container.run("stat --format='%a' /root/.ssh /root/.ssh/authorized_keys").split() == [
        "700",
        "600",
    ]
    login = (
        "ssh -i /etc/secret-volume/{} -o StrictHostKeyChecking=no -o BatchMode=yes "
        "root@127.0.0.1 id -u"
    )
    assert container.wait(login.format("one")).strip() == "0"
    (secret / "ssh-pub-key").write_text((secret / "two.pub").read_text())
    assert container.wait(login.format("two")).strip() == "0"
    (secret / "ssh-pub-key").write_text((secret / "two.pub").read_text() * 3)
    container.run("systemctl start kubeos-ssh-key && systemctl restart kubeos-ssh-key")
    keys = container.run("cat /root/.ssh/authorized_keys")
    assert keys == (secret / "one.pub").read_text() + (secret / "two.pub").read_text()


def test_a_missing_secret_is_a_line_in_the_log(docker, built):
    running = start(docker, "without-secret")
    log = running.run("journalctl --unit kubeos-ssh-key --output cat")
    assert (
        "kubeos-ssh-key: /etc/secret-volume/ssh-pub-key is missing or empty: nobody can log in "
        "until the secret ssh-pub-key is mounted"
    ) in log
    assert running.run("systemctl --failed --quiet --no-legend") == ""
    docker.run("rm", "--force", running.name)


def test_the_second_build_makes_nothing(built, docker):
    done = run_doit(built, "admin_container", "engine=docker", **docker.env)
    assert made(done.stdout) == []
    assert "load_admin_container" in cached(done.stdout)


def test_on_a_base_image(built, docker, tmp_path):
    """The engine builds it on a base image. Since a container here reaches no registry and no
    repository, the packages are already in the base image, and its dnf only writes down its
    arguments."""
    (tmp_path / "base").mkdir()
    (tmp_path / "base/dnf").write_text('#!/bin/sh\necho "$*" >>/asked-of-dnf\n')
    (tmp_path / "base/dnf").chmod(0o755)
    (tmp_path / "base/Dockerfile").write_text(
        f"FROM {NAME}\nCOPY dnf /usr/bin/dnf\nRUN rm -r /usr/local/bin/* /usr/local/lib/*\n"
    )
    docker.run("build", "--tag", "base-of-a-test:v1", str(tmp_path / "base"))
    write(tmp_path, 'base_image = "base-of-a-test:v1"', "kubeos-admin-on-base:v1")
    done = run_doit(tmp_path, "admin_container", "engine=docker", **docker.env)
    assert done.returncode == 0, done.stdout
    assert made(done.stdout) == ["admin_archive"]
    assert made(run_doit(tmp_path, "admin_container", "engine=docker", **docker.env).stdout) == []
    running = start(docker, "on-base", image="kubeos-admin-on-base:v1")
    asked = running.run("cat /asked-of-dnf")
    assert "install bash coreutils openssh-clients openssh-server util-linux\n" in asked
    assert running.run("stat --format=%a /usr/local/bin/hostshell").strip() == "500"
    docker.run("rm", "--force", running.name)

    docker.run("rmi", "--force", "kubeos-admin-on-base:v1")
    again = run_doit(tmp_path, "admin_container", "engine=docker", **docker.env)
    assert "done    load_admin_container" in again.stdout, again.stdout


@pytest.mark.parametrize(
    ("more", "words", "message"),
    [
        (
            'base_image = "a:b"',
            ("engine=none",),
            "kbimg.toml:4: admin_container.base_image: building on a base image "
            "needs a container engine, "
            "but engine=none disables container engines",
        ),
        (
            "",
            ("engine=none",),
            "kbimg.toml:1: admin_container: expected repo_path, the repository to "
            "build it from, or a "
            "container engine to build it on openeuler/openeuler:24.03-lts, but "
            "engine=none disables container engines",
        ),
    ],
)
def test_no_way_to_build_it(tmp_path, more, words, message):
    write(tmp_path, more)
    done = run_doit(tmp_path, "admin_container", *words)
    assert done.returncode == 1
    assert message in done.stdout
    assert "Traceback" not in done.stdout
