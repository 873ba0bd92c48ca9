"""Container images, written and read, and grub.cfg of a disk made from one."""

from __future__ import annotations

import gzip
import hashlib
import io
import json
import re
import subprocess
import sys
import tarfile
from pathlib import Path

import pytest

from kbimg_tasks.containers import reference
from kbimg_tasks.tools import container_archive, take_from_image

MIB = 1 << 20
MEMORY_MIB = 200


def write(target: Path, content: Path, *more: str) -> int:
    return container_archive.main(
        [
            str(target),
            "--name=kubeos-upgrade:v1",
            "--full-name=docker.io/library/kubeos-upgrade:v1",
            "--architecture=amd64",
            "--clock=1700000000",
            f"--file={content}=os.tar",
            *more,
        ]
    )


STARTS = {
    "menu": "boot/efi/EFI/openEuler/grub.cfg",
    "grubenv": "boot/efi/EFI/openEuler/grubenv",
    "grub": "boot/efi/EFI/openEuler/grubx64.efi",
}


def root_tar(path: Path, leave_out: str = "") -> Path:
    """A tar of the smallest root tree that has everything a disk needs."""
    with tarfile.open(path, "w") as tar:
        for number, name in enumerate((*take_from_image.WANTED, *STARTS.values())):
            if name != leave_out:
                info = tarfile.TarInfo(f"./{name}")
                info.mtime = 1600000000 + number
                tar.addfile(info)
    return path


def take(tool, archive: Path, folder: Path, *more: str):
    return tool(
        "take_from_image",
        archive,
        folder / "os.tar",
        "--file=os.tar",
        f"--clock={folder / 'clock'}",
        *more,
        *(f"--{option}=/{path}" for option, path in STARTS.items()),
    )


def members(archive: Path) -> dict[str, bytes]:
    with tarfile.open(archive) as tar:
        return {
            info.name: tar.extractfile(info).read()  # type: ignore[union-attr]
            for info in tar
            if info.isfile()
        }


def test_every_digest_is_of_what_it_names(tmp_path: Path):
    content = tmp_path / "content"
    content.write_bytes(b"some content " * 300_000)  # several blocks, and no whole number of them
    assert write(tmp_path / "a.tar", content, f"--digests={tmp_path / 'digests'}") == 0
    found = members(tmp_path / "a.tar")
    for name, data in found.items():
        if name.startswith("blobs/"):
            assert name == f"blobs/sha256/{hashlib.sha256(data).hexdigest()}"
    (entry,) = json.loads(found["manifest.json"])
    (described,) = json.loads(found["index.json"])["manifests"]
    manifest = json.loads(found[f"blobs/{described['digest'].replace(':', '/')}"])
    config = json.loads(found[entry["Config"]])
    assert entry["RepoTags"] == ["kubeos-upgrade:v1"]
    assert [f"blobs/{one['digest'].replace(':', '/')}" for one in manifest["layers"]] == entry[
        "Layers"
    ]
    assert (tmp_path / "digests").read_text().split() == [
        manifest["config"]["digest"],
        described["digest"],
    ]
    plain = gzip.decompress(found[entry["Layers"][0]])
    assert config["rootfs"]["diff_ids"] == [f"sha256:{hashlib.sha256(plain).hexdigest()}"]
    with tarfile.open(fileobj=io.BytesIO(plain)) as layer:
        assert layer.getnames() == ["os.tar"]
        assert layer.extractfile("os.tar").read() == content.read_bytes()  # type: ignore[union-attr]
    assert described["annotations"] == {
        "io.containerd.image.name": "docker.io/library/kubeos-upgrade:v1",
        "org.opencontainers.image.ref.name": "v1",
    }


@pytest.mark.parametrize(
    ("name", "registry", "full"),
    [
        ("os", "", "docker.io/library/os:latest"),
        ("me/os:1", "", "docker.io/me/os:1"),
        ("localhost/os", "localhost", "localhost/os:latest"),
        ("host:5000/os", "host:5000", "host:5000/os:latest"),
        ("os@sha256:0", "", "docker.io/library/os@sha256:0"),
        ("quay.io/a/b:c", "quay.io", "quay.io/a/b:c"),
    ],
)
def test_names(name, registry, full):
    assert (reference.registry(name), reference.full(name)) == (registry, full)


def test_no_byte_depends_on_the_number_of_threads(tmp_path: Path, monkeypatch):
    (tmp_path / "content").write_bytes(bytes(range(256)) * 20_000)
    seen = set()
    for threads in (1, 2, 7):
        monkeypatch.setattr(container_archive.os, "cpu_count", lambda threads=threads: threads)
        write(tmp_path / "a.tar", tmp_path / "content")
        seen.add(hashlib.sha256((tmp_path / "a.tar").read_bytes()).hexdigest())
    assert len(seen) == 1


def test_layers_that_are_equal_are_one_blob(tmp_path: Path):
    layer = root_tar(tmp_path / "layer.tar")
    (tmp_path / "settings").write_text('{"Cmd": ["/usr/lib/systemd/systemd"]}')
    write(
        tmp_path / "a.tar",
        layer,
        f"--layer={layer}",
        f"--layer={layer}",
        f"--settings={tmp_path / 'settings'}",
    )
    names = [info.name for info in tarfile.open(tmp_path / "a.tar")]
    assert len(names) == len(set(names)) == 2 + 2 + 3  # layers, JSON blobs, JSON with a name
    (entry,) = json.loads(members(tmp_path / "a.tar")["manifest.json"])
    assert len(entry["Layers"]) == 3
    config = json.loads(members(tmp_path / "a.tar")[entry["Config"]])
    assert config["config"] == {"Cmd": ["/usr/lib/systemd/systemd"]}


@pytest.mark.image
def test_memory_stays_small(tmp_path: Path):
    """With a file of more than 8 GiB, which a plain tar header cannot express."""
    with (tmp_path / "content").open("wb") as stream:
        stream.truncate(8 * 1024 * MIB + 1)
    # Not by wait4(2), whose figure also has what this process took before the program began.
    program = (
        "import sys; from kbimg_tasks.tools import container_archive; "
        "status = container_archive.main(sys.argv[1:]); "
        "print(open('/proc/self/status').read()); sys.exit(status)"
    )
    told = subprocess.run(
        [
            sys.executable,
            "-c",
            program,
            str(tmp_path / "a.tar"),
            "--name=a:1",
            "--full-name=docker.io/library/a:1",
            "--architecture=amd64",
            "--clock=0",
            f"--file={tmp_path / 'content'}=os.tar",
        ],
        check=True,
        capture_output=True,
        text=True,
    )
    (peak,) = re.findall(r"^VmHWM:\s+(\d+) kB$", told.stdout, re.MULTILINE)  # proc(5)
    assert int(peak) < MEMORY_MIB * 1024
    with tarfile.open(tmp_path / "a.tar") as archive:
        (name,) = json.load(archive.extractfile("manifest.json"))[0]["Layers"]  # type: ignore[arg-type]
        with tarfile.open(fileobj=archive.extractfile(name), mode="r|gz") as layer:
            assert next(iter(layer)).size == 8 * 1024 * MIB + 1


def test_taken_out_again(tool, tmp_path: Path):
    content = root_tar(tmp_path / "root.tar")
    write(tmp_path / "a.tar", content)
    done = take(tool, tmp_path / "a.tar", tmp_path)
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "os.tar").read_bytes() == content.read_bytes()
    assert (tmp_path / "clock").read_text() == "1600000005\n"


def test_an_oci_layout_alone_and_zstd(tool, tmp_path: Path):
    """An archive as skopeo and containerd write it: no manifest.json, and other compressions."""
    content = root_tar(tmp_path / "root.tar")
    write(tmp_path / "a.tar", content)
    subprocess.run(
        [
            "skopeo",
            "copy",
            "--quiet",
            "--dest-compress-format=zstd",
            "--dest-compress",
            f"oci-archive:{tmp_path / 'a.tar'}",
            f"oci-archive:{tmp_path / 'b.tar'}:v1",
        ],
        check=True,
    )
    assert "manifest.json" not in members(tmp_path / "b.tar")
    done = take(tool, tmp_path / "b.tar", tmp_path)
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "os.tar").read_bytes() == content.read_bytes()


def image(path: Path, content: Path, name: str = "os.tar") -> Path:
    container_archive.main(
        [
            str(path),
            "--name=other:v2",
            "--full-name=docker.io/library/other:v2",
            "--architecture=amd64",
            "--clock=0",
            f"--file={content}={name}",
        ]
    )
    return path


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (
            lambda at: image(at / "a", root_tar(at / "t", "boot/vmlinuz")),
            "a: its root tree has no kernel (/boot/vmlinuz)",
        ),
        (
            lambda at: image(at / "a", root_tar(at / "t", "usr/bin/os-agent")),
            "a: its root tree has no os-agent (/usr/bin/os-agent)",
        ),
        (
            lambda at: image(at / "a", root_tar(at / "t", "boot/efi/EFI/openEuler/grubx64.efi")),
            "a: its root tree has no GRUB (/boot/efi/EFI/openEuler/grubx64.efi)",
        ),
        (
            lambda at: image(at / "a", root_tar(at / "t"), "hello"),
            "a: expected /os.tar in it, found hello: is it an upgrade image of KubeOS?",
        ),
        (
            lambda at: image(at / "a", root_tar(at / "t"), "update-root.img"),
            "a: expected /os.tar, found /update-root.img: an upgrade image with "
            "dm-verity is signed",
        ),
        (
            lambda at: root_tar(at / "a"),
            "a: expected a container image as docker save writes it, or an OCI "
            "image layout: it has "
            "neither manifest.json nor index.json",
        ),
        (
            lambda at: at.joinpath("a").write_text("no tar at all" * 100) and at / "a",
            "a: expected a container image that is whole, found one that cannot be read",
        ),
        (lambda at: cut(image(at / "a", root_tar(at / "t"))), "a: expected a container image"),
        (
            lambda at: image(at / "a", at.joinpath("x").write_text("x") and at / "x"),
            "a: expected a container image that is whole, found one that cannot be read",
        ),
    ],
)
def test_what_no_disk_can_be_made_of(tool, tmp_path: Path, make, message):
    done = take(tool, make(tmp_path), tmp_path)
    assert done.returncode == 1
    assert f"take_from_image: {message}" in done.stderr
    assert "Traceback" not in done.stderr


def cut(path: Path) -> Path:
    path.write_bytes(path.read_bytes()[:700])
    return path


def test_an_image_of_another_name(tool, tmp_path: Path):
    archive = image(tmp_path / "a", root_tar(tmp_path / "t"))
    done = take(tool, archive, tmp_path, "--name=kubeos-upgrade:v1")
    assert done.returncode == 1
    assert "expected one image called kubeos-upgrade:v1, found other:v2" in done.stderr
    for name in ("other:v2", "docker.io/library/other:v2", "other@sha256:" + 64 * "0"):
        assert take(tool, archive, tmp_path, f"--name={name}").returncode == 0


def test_slots_are_named(tool, tmp_path: Path):
    menu = tmp_path / "grub.cfg"
    menu.write_text(
        "# linux root=x\nmenuentry A {\n\tlinux /boot/vmlinuz root=UUID=1 ro\n}\n"
        "menuentry B {\n    linuxefi /boot/vmlinuz root=/dev/vda3 ro\n}\n"
    )
    assert tool("name_slots", menu, "aa", "bb").returncode == 0
    assert "vmlinuz root=PARTUUID=aa ro" in menu.read_text()
    assert "vmlinuz root=PARTUUID=bb ro" in menu.read_text()
    assert menu.read_text().startswith("# linux root=x\n")
    before = menu.stat()
    assert tool("name_slots", menu, "aa", "bb").returncode == 0
    assert menu.stat().st_mtime_ns == before.st_mtime_ns


def test_a_menu_of_another_kind(tool, tmp_path: Path):
    (tmp_path / "grub.cfg").write_text("linux /vmlinuz root=a\n")
    done = tool("name_slots", tmp_path / "grub.cfg", "aa", "bb")
    assert done.returncode == 1
    assert "grub.cfg: expected 2 lines that load a kernel" in done.stderr
