"""The files that describe an image, and the comparison of two images."""

from __future__ import annotations

import hashlib
import json
import subprocess
import sys
from pathlib import Path

import pytest
import sboms
from building import DEMO, SMALL, build, run_doit, write_config

from kbimg_tasks.dissect.contents import read
from kbimg_tasks.dissect.packages import packages

pytestmark = pytest.mark.image

SIZES = "[disk_partition]\nroot = 1024\nimg_size = 5\n"
COPIED = '[[copy_files]]\nsrc = "own.conf"\ndst = "/etc"\n'
ABOUT = ("packages.txt", "sbom.cdx.json")


@pytest.fixture(scope="module")
def two(repository: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """The output directories of two configurations: one more package, one changed file."""
    folder = tmp_path_factory.mktemp("inside")
    outs = folder / "old", folder / "new"
    for out, names, text in zip(outs, (SMALL, (*SMALL, "socat")), ("a = 1\n", "a = 2\n")):
        (folder / "own.conf").write_text(text)
        write_config(folder, names, SIZES + COPIED)
        build(folder, f"out={out}")
    return outs


def diff(*argv: object) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "kbimg_tasks.commands.diff.diff", *map(str, argv)],
        text=True,
        capture_output=True,
        check=False,
    )


def test_the_list_is_what_rpm_has_in_the_tree(two, tmp_path):
    contents = read(two[1] / "kubeos.tar", tmp_path)
    in_tree = packages(contents)
    assert in_tree and "socat" in in_tree
    lines = [line.split("\t") for line in (two[1] / "packages.txt").read_text().splitlines()[1:]]
    listed: dict[str, dict[str, int]] = {}
    for name, evr, architecture, source, size in lines:
        assert source.endswith(".src.rpm")
        listed.setdefault(name, {})[f"{evr[2:] if evr[:2] == '0:' else evr}.{architecture}"] = int(
            size
        )
    assert listed == in_tree
    assert lines == sorted(lines)


def test_the_sbom(two, repository):
    text = (two[1] / "sbom.cdx.json").read_text()
    assert sboms.flaws(text) is None
    document = json.loads(text)
    names = [line.split("\t")[0] for line in (two[1] / "packages.txt").read_text().splitlines()[1:]]
    assert sorted(each["name"] for each in document["components"]) == sorted(names)
    sums = {hashlib.sha256(path.read_bytes()).hexdigest() for path in repository.glob("*.rpm")}
    assert {each["hashes"][0]["content"] for each in document["components"]} <= sums
    assert str(two[1]) not in text


@pytest.mark.long
def test_a_second_build_elsewhere_says_the_same(two, tmp_path):
    (tmp_path / "own.conf").write_text("a = 2\n")
    write_config(tmp_path, (*SMALL, "socat"), SIZES + COPIED)
    out = build(tmp_path, "-n", "1")
    for name in ABOUT:
        assert (out / name).read_bytes() == (two[1] / name).read_bytes()
    done = diff(out, two[1])
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.splitlines()[-1] == "equal"


def test_what_built_it(two):
    told = json.loads((two[0] / "build-tools.json").read_text())
    assert {"dnf", "rpm", "mke2fs", "tar", "qemu-img"} <= set(told["programs"])
    assert all(len(one["sha256"]) == 64 for one in told["programs"].values())


def test_what_changed(two):
    done = diff("--json", *two)
    assert (done.returncode, done.stderr) == (1, "")
    found = json.loads(done.stdout)
    packages = {one["name"]: one["old"] for one in found["packages"]}
    assert packages["socat"] == {}  # with what it depends on
    assert not any(packages.values())
    paths = {one["path"]: one for one in found["files"]}
    assert paths["/usr/bin/socat"]["old"] is None
    assert paths["/etc/own.conf"]["changed"] == ["content"]
    assert {
        "path": "/etc/own.conf",
        "diff": ["--- old/etc/own.conf", "+++ new/etc/own.conf", "@@ -1 +1 @@", "-a = 1", "+a = 2"],
    } in (found["configuration"])
    assert {one["name"] for one in found["results"]} == {
        "kubeos.tar",
        "kubeos.tar.sha256",
        "packages.txt",
        "sbom.cdx.json",
        "system.img",
        "system.qcow2",
        "system.qcow2.sha256",
    }


def test_an_upgrade_image_has_the_same_tree(two):
    folder = two[1].parent
    config = folder / "kbimg.toml"
    config.write_text(
        config.read_text().replace("version =", 'upgrade_img = "kubeos-inside:v1"\nversion =')
    )
    done = run_doit(folder, "upgrade_img", f"out={two[1]}", "engine=none")
    assert done.returncode == 0, done.stdout
    found = diff(two[1] / "upgrade_img.tar", two[1] / "kubeos.tar")
    assert found.returncode == 0, found.stdout + found.stderr


def test_the_admin_container_tells_of_itself(repository, tmp_path):
    (tmp_path / "kbimg.toml").write_text(
        f'[admin_container]\nimg_name = "admin:v1"\nhostshell = "/usr/bin/nsenter"\n'
        f'repo_path = "{DEMO / "demo.repo"}"\n'
    )
    done = run_doit(tmp_path, "admin_container", "engine=none")
    assert done.returncode == 0, done.stdout
    out = tmp_path / "scripts-auto"
    document = (out / "admin_container.sbom.cdx.json").read_text()
    assert sboms.flaws(document) is None
    assert json.loads(document)["metadata"]["component"]["type"] == "container"
    in_tree = packages(read(out / "admin_container.tar", tmp_path))
    listed = (out / "admin_container.packages.txt").read_text().splitlines()[1:]
    assert in_tree and {line.split("\t")[0] for line in listed} == set(in_tree)
