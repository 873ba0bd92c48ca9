"""The upgrade image in the programs that read it, and disks built from it."""

from __future__ import annotations

import hashlib
import json
import socket
import subprocess
from pathlib import Path

import engines
import pytest
import tiny
from building import cached, digest, made, run_doit

from kbimg_tasks.machine.ids import Ids
from kbimg_tasks.machine.partitions import plan_table
from kbimg_tasks.tools import take_from_image

pytestmark = pytest.mark.image

NAME = "kubeos-upgrade:v1"
MORE = '[persist_mkdir]\nname = ["data"]\n'
SIZES = tiny.SIZES + MORE
OTHER_SIZES = "[disk_partition]\nroot = 300\nimg_size = 4\n"


@pytest.fixture(scope="module")
def folder(tiny_repo: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with an upgrade image and the disk of the same configuration."""
    top = tmp_path_factory.mktemp("upgrade")
    path = tiny.configure(top, tiny_repo, MORE + '[grub]\npasswd = "secret"\n')
    path.write_text(path.read_text().replace("version =", f'upgrade_img = "{NAME}"\nversion ='))
    done = run_doit(top, "vm_img", "upgrade_img", "engine=none")
    assert done.returncode == 0, done.stdout
    return top


@pytest.fixture(scope="module")
def out(folder: Path) -> Path:
    return folder / "scripts-auto"


def from_image(folder: Path, source: str, *words: str, more: str = SIZES, **env: str) -> Path:
    """Build a disk from an upgrade image. Returns the output directory."""
    (folder / "kbimg.toml").write_text(f"[from_dockerimg]\n{source}\n{more}")
    done = run_doit(folder, "vm_img", *words, **env)
    assert done.returncode == 0, done.stdout
    return folder / "scripts-auto"


def sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def assert_same_disk(one: Path, other: Path) -> None:
    for name in ("kubeos.tar", "system.qcow2"):
        assert sha256(one / name) == sha256(other / name), name
    assert digest(one / "system.img") == digest(other / "system.img")


@pytest.mark.parametrize("name", ["docker", "podman"])
def test_an_engine_gets_it(folder, out, name, request, tmp_path):
    engine: engines.Engine = request.getfixturevalue(name)
    first = run_doit(folder, "upgrade_img", f"engine={name}", **engine.env)
    assert f"{NAME} is in {name}: {name} images" in first.stdout
    assert first.returncode == 0
    assert "kubeos-upgrade" in engine.run("images").stdout
    engine.save_file(NAME, "/os.tar", tmp_path / "os.tar")
    assert sha256(tmp_path / "os.tar") == sha256(out / "kubeos.tar")

    second = run_doit(folder, "upgrade_img", f"engine={name}", **engine.env)
    assert "load_upgrade_img" in cached(second.stdout)
    assert made(second.stdout) == []
    engine.run("rmi", NAME)
    third = run_doit(folder, "upgrade_img", f"engine={name}", **engine.env)
    assert "done    load_upgrade_img" in third.stdout

    (tmp_path / "disk").mkdir()
    disk = from_image(tmp_path / "disk", f'upgrade_img = "{NAME}"', f"engine={name}", **engine.env)
    assert_same_disk(disk, out)


def test_another_image_of_the_name_is_noticed(folder, out, docker, tmp_path):
    """Another image of the same name makes the disk again; without the engine the disk stays up to
    date."""
    run_doit(folder, "upgrade_img", "engine=docker", **docker.env)
    docker.run("tag", NAME, "kubeos-moving:v1")
    from_image(tmp_path, 'upgrade_img = "kubeos-moving:v1"', "engine=docker", **docker.env)
    again = run_doit(tmp_path, "vm_img", "engine=docker", **docker.env)
    assert made(again.stdout) == []
    away = run_doit(tmp_path, "vm_img", "engine=none")
    assert away.returncode == 0 and made(away.stdout) == [], away.stdout

    (tmp_path / "Dockerfile").write_text(f"FROM {NAME}\nLABEL other=1\n")
    docker.run(
        "build", "--tag", "kubeos-moving:v1", str(tmp_path), "--file", str(tmp_path / "Dockerfile")
    )
    other = run_doit(tmp_path, "vm_img", "engine=docker", **docker.env)
    assert "kubeos_tar" in made(other.stdout)
    assert_same_disk(tmp_path / "scripts-auto", out)


def test_containerd_gets_it(folder, out, containerd, tmp_path):
    done = run_doit(folder, "upgrade_img", "engine=ctr", **containerd.env)
    assert f"{NAME} is in ctr" in done.stdout, done.stdout
    full = f"docker.io/library/{NAME}"
    assert full in containerd.run("images", "list").stdout
    again = run_doit(folder, "upgrade_img", "engine=ctr", **containerd.env)
    assert "load_upgrade_img" in cached(again.stdout)
    containerd.run("images", "export", str(tmp_path / "exported.tar"), full)
    status = take_from_image.main(
        [
            str(tmp_path / "exported.tar"),
            str(tmp_path / "os.tar"),
            "--file=os.tar",
            f"--name={NAME}",
            f"--clock={tmp_path / 'clock'}",
            "--menu=/boot/efi/EFI/openEuler/grub.cfg",
            "--grubenv=/boot/efi/EFI/openEuler/grubenv",
            "--grub=/boot/efi/EFI/openEuler/grubx64.efi",
        ]
    )
    assert status == 0
    assert sha256(tmp_path / "os.tar") == sha256(out / "kubeos.tar")


def test_skopeo_and_a_registry_get_it(folder, out, tmp_path):
    archive = out / "upgrade_img.tar"
    shown = subprocess.run(
        ["skopeo", "inspect", f"oci-archive:{archive}"],
        check=True,
        text=True,
        stdout=subprocess.PIPE,
    ).stdout
    seen = json.loads(shown)
    assert seen["Architecture"] == "amd64"
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port = probe.getsockname()[1]
    with engines.registry(port) as host:
        done = run_doit(folder, "upgrade_img", "engine=none", f"push={host}/os/kubeos:v1")
        assert f"pushed as {host}/os/kubeos:v1" in done.stdout, done.stdout
        pulled = tmp_path / "pulled.tar"
        subprocess.run(
            [
                "skopeo",
                "copy",
                "--quiet",
                "--src-tls-verify=false",
                f"docker://{host}/os/kubeos:v1",
                f"oci-archive:{pulled}:v1",
            ],
            check=True,
        )
        there = json.loads(
            subprocess.run(
                ["skopeo", "inspect", "--tls-verify=false", f"docker://{host}/os/kubeos:v1"],
                check=True,
                stdout=subprocess.PIPE,
            ).stdout
        )
        assert there["Layers"] == seen["Layers"]  # not compressed anew
        assert there["Digest"] == seen["Digest"]
        refused = run_doit(folder, "upgrade_img", "engine=none", "push=127.0.0.1:1/os:v1")
        assert refused.returncode != 0 and "127.0.0.1:1/os:v1: " in refused.stdout
        assert "Traceback" not in refused.stdout
    (tmp_path / "disk").mkdir()
    assert_same_disk(from_image(tmp_path / "disk", f'archive = "{pulled}"'), out)


def test_a_disk_out_of_the_archive(out, tmp_path):
    disk = from_image(tmp_path, f'archive = "{out / "upgrade_img.tar"}"')
    assert_same_disk(disk, out)
    again = run_doit(tmp_path, "vm_img")
    assert made(again.stdout) == []


def test_a_disk_of_another_size_starts_its_own_slots(out, tmp_path):
    disk = from_image(tmp_path, f'archive = "{out / "upgrade_img.tar"}"', more=OTHER_SIZES)
    subprocess.run(
        [
            "mcopy",
            "-n",
            "-i",
            f"{disk / 'system.img'}@@1M",
            "::EFI/openEuler/grub.cfg",
            str(tmp_path / "grub.cfg"),
        ],
        check=True,
    )
    ids = Ids.of(plan_table(300, 4))
    menu = (tmp_path / "grub.cfg").read_text()
    shown = subprocess.run(
        ["sfdisk", "--json", str(disk / "system.img")],
        check=True,
        text=True,
        stdout=subprocess.PIPE,
    ).stdout.lower()
    for label in ("ROOT-A", "ROOT-B"):
        assert f"root=PARTUUID={ids.uuid(label)} " in menu
        assert ids.uuid(label) in shown
    assert sha256(disk / "kubeos.tar") == sha256(out / "kubeos.tar")


def test_an_archive_that_is_none(tmp_path):
    (tmp_path / "none.tar").write_bytes(b"not an archive" * 100)
    (tmp_path / "kbimg.toml").write_text('[from_dockerimg]\narchive = "none.tar"\n')
    done = run_doit(tmp_path, "vm_img")
    assert done.returncode == 1
    assert (
        "take_from_image: none.tar: expected a container image that is whole, found one that "
        "cannot be read"
    ) in done.stdout
    assert "Traceback" not in done.stdout
    assert not (tmp_path / "scripts-auto/kubeos.tar").exists()


def test_without_an_engine_the_file_stays(folder, out):
    done = run_doit(folder, "upgrade_img", "engine=none")
    assert done.returncode == 0
    assert f"docker load -i {out}/upgrade_img.tar" in done.stdout
    absent = run_doit(folder, "upgrade_img", "engine=nerdctl")
    assert absent.returncode != 0
    assert "engine=nerdctl: there is no program nerdctl" in absent.stdout
    assert (out / "upgrade_img.tar").exists()
