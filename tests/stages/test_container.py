"""The archive of a container image, read by skopeo like by the engines."""

from __future__ import annotations

import json
import subprocess
import tarfile
from pathlib import Path

import pytest
from building import SMALL, write_config


@pytest.fixture
def archive(bench, tmp_path: Path):
    """The upgrade image of a kubeos.tar of a few bytes, and its digests."""
    path = write_config(tmp_path, SMALL)
    text = path.read_text().replace("version =", 'upgrade_img = "kubeos-upgrade:v9"\nversion =')
    made = bench(text=text)
    made.put("kubeos_tar", "kubeos.tar", b"the root tree" * 1000)
    return made.make("upgrade_archive")


def inspected(*words: object) -> dict:
    done = subprocess.run(
        ["skopeo", "inspect", *map(str, words)], check=True, text=True, capture_output=True
    )
    return dict(json.loads(done.stdout))


@pytest.mark.parametrize("transport", ["oci-archive", "docker-archive"])
def test_each_way_of_reading_it_finds_one_file(archive, tmp_path: Path, transport: str):
    where = f"{transport}:{archive['upgrade_img.tar']}"
    copy = tmp_path / "copy"
    subprocess.run(["skopeo", "copy", "--quiet", where, f"dir:{copy}"], check=True)
    (layer,) = json.loads((copy / "manifest.json").read_text())["layers"]
    with tarfile.open(copy / layer["digest"].partition(":")[2]) as tar:
        (info,) = tar.getmembers()
        assert info.name == "os.tar"
        assert tar.extractfile(info).read() == b"the root tree" * 1000
        assert info.mtime == 1700000000


def test_what_it_says_of_itself(archive):
    found = inspected(f"docker-archive:{archive['upgrade_img.tar']}")
    assert found["Architecture"] == "amd64"
    assert found["Created"] == "2023-11-14T22:13:20Z"
    listed = subprocess.run(
        ["skopeo", "list-tags", f"docker-archive:{archive['upgrade_img.tar']}"],
        check=True,
        text=True,
        capture_output=True,
    ).stdout
    assert json.loads(listed)["Tags"] == ["kubeos-upgrade:v9"]


def test_the_digests_are_what_engines_show(archive):
    where = f"oci-archive:{archive['upgrade_img.tar']}"
    digests = archive["digests"].read_text().split()
    manifest = inspected("--raw", where)
    assert manifest["config"]["digest"] in digests  # Docker and Podman
    assert inspected(where)["Digest"] in digests  # containerd
