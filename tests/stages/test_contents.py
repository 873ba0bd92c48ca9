"""The files that describe an image, from made-up packages."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import pytest
from rpms import BUILD_TIME, make_rpm


@pytest.fixture(scope="module")
def described(new_bench, tmp_path_factory):
    """The lists of an image with two packages."""
    folder = tmp_path_factory.mktemp("described")
    made = new_bench(folder)
    files = [make_rpm(folder, "one", "1.5", licence="MIT")]
    files += [make_rpm(folder, "two", "2.0", epoch=3, licence="GPL-2.0-only", vendor="us")]
    rows = (("one-1.5-1.noarch", "aa"), ("two-3:2.0-1.noarch", "bb"))
    made.put("packages", "packages.list", "".join(f"{path}\n" for path in files))
    made.put(
        "packages",
        "packages.lock",
        "".join(f"{name}\tsha256:{sha256 * 32}\t0\t{BUILD_TIME}\n" for name, sha256 in rows),
    )
    return made.make("sbom")


def test_the_list_has_each_package(described):
    _, one, two = described["packages.txt"].read_text().splitlines()
    assert one.split()[:2] == ["one", "0:1.5-1"]
    assert two.split()[:2] == ["two", "3:2.0-1"]


def test_the_sbom_has_each_package(described):
    document = json.loads(described["sbom.cdx.json"].read_text())
    assert document["metadata"]["component"]["name"] == "KubeOS"
    assert document["metadata"]["timestamp"] == "2023-11-14T22:13:20+00:00"
    one, two = document["components"]
    assert (one["name"], two["name"]) == ("one", "two")
    assert "epoch=3" in two["purl"]
    assert two["hashes"] == [{"alg": "SHA-256", "content": "bb" * 32}]
    assert "GPL-2.0-only" in json.dumps(two["licenses"])


def test_the_programs_that_build_are_told(bench):
    made = bench()
    made.put("kubeos_tar", "kubeos.tar", "a tar")
    programs = json.loads(made.make("build_tools")["build-tools.json"].read_text())["programs"]
    assert set(programs) >= {"mcopy", "mke2fs", "qemu-img", "rpm", "sfdisk", "tar"}
    sha256 = hashlib.sha256(Path(programs["tar"]["path"]).read_bytes()).hexdigest()
    assert programs["tar"]["sha256"] == sha256
