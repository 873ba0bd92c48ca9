"""The choice of packages: newer ones are detected, a lock file keeps old ones, and offline builds
work."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
import web
from building import digest, made, run_doit
from rpms import BUILD_TIME
from tiny import PACKAGES, configure

pytestmark = pytest.mark.image

SPEC = """Name: kbimg-test
Version: {version}
Release: 1
Summary: a package that has versions
License: MIT
BuildArch: noarch
%description
None.
%prep
%install
mkdir -p %{{buildroot}}/usr/share
echo {content} > %{{buildroot}}/usr/share/kbimg-test
%files
/usr/share/kbimg-test
"""


class Served(web.Server):
    """A small repository on its own web server, in addition to the tiny one."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir()
        super().__init__(folder)
        self.folder = folder

    def publish(self, version: str, content: str = "") -> None:
        """Add a version of the package, with a file that contains the version or another text."""
        spec = self.folder.parent / "kbimg-test.spec"
        spec.write_text(SPEC.format(version=version, content=content or version))
        subprocess.run(
            [
                "rpmbuild",
                "-bb",
                "--quiet",
                "--define",
                f"_rpmdir {self.folder}",
                "--define",
                f"_topdir {self.folder.parent / 'rpmbuild'}",
                "--define",
                "use_source_date_epoch_as_buildtime 1",
                spec,
            ],
            check=True,
            env={**os.environ, "SOURCE_DATE_EPOCH": str(BUILD_TIME)},
        )
        subprocess.run(["createrepo_c", "--quiet", self.folder], check=True)


@pytest.fixture
def served(tiny_repo, tmp_path: Path) -> Iterator[Served]:
    """A configuration with one package of the served repository."""
    there = Served(tmp_path / "served")
    there.publish("1.0")
    path = configure(tmp_path, tiny_repo, packages=(*PACKAGES, "kbimg-test"))
    (tmp_path / "two.repo").write_text(
        tiny_repo.read_text() + f"\n[{tmp_path.parent.name}-served]\nname=served\n"
        f"baseurl=http://127.0.0.1:{there.port}/\ngpgcheck=0\n"
    )
    path.write_text(path.read_text().replace(str(tiny_repo), "two.repo"))
    yield there
    there.stop()


def layer(folder: Path, *options: str) -> str:
    done = run_doit(folder, "customised", "cache=cache", *options)
    assert done.returncode == 0, done.stdout
    return done.stdout


def version(folder: Path, out: str = "scripts-auto") -> str:
    tree = folder / out / ".kbimg/stages/rootfs/rootfs"
    return (tree / "usr/share/kbimg-test").read_text().strip()


def test_newer_packages_are_noticed(served, tmp_path):
    layer(tmp_path)
    assert version(tmp_path) == "1.0"
    served.asked.clear()
    assert made(layer(tmp_path)) == []
    assert served.asked == ["/repodata/repomd.xml"]

    served.publish("1.1")
    assert {"packages", "rootfs", "customised"} <= set(made(layer(tmp_path)))
    assert version(tmp_path) == "1.1"


@pytest.mark.parametrize("out", ["scripts-auto", "another"])
def test_a_version_that_was_built_anew_is_noticed(served, tmp_path, out):
    """In the same output directory, and in another one through the store; also if the new package
    has the same time, as with reproducible builds."""
    layer(tmp_path)
    served.publish("1.0", "built anew")
    layer(tmp_path, f"out={out}")
    assert version(tmp_path, out) == "built anew"


def test_an_index_that_changed_without_the_packages(served, tmp_path):
    """The packages are resolved again, but not installed again."""
    layer(tmp_path)
    os.truncate(
        shutil.copy(served.folder / "noarch/kbimg-test-1.0-1.noarch.rpm", served.folder / "x.txt"),
        0,
    )
    subprocess.run(["createrepo_c", "--quiet", "--revision", "another", served.folder], check=True)
    assert made(layer(tmp_path)) == ["packages"]
    assert made(layer(tmp_path)) == []


def test_without_a_network_the_build_goes_on(served, tmp_path):
    layer(tmp_path)
    served.stop()
    output = layer(tmp_path)
    assert made(output) == []
    assert output.count("could not check for newer packages") == 1
    assert "offline=1 disables this check" in output


def test_offline_asks_nobody(served, tmp_path):
    layer(tmp_path)
    served.asked.clear()
    served.publish("1.1")
    assert made(layer(tmp_path, "offline=1")) == []
    assert served.asked == []
    # Another directory resolves from what the last build downloaded.
    layer(tmp_path, "offline=1", "out=other")
    assert version(tmp_path, "other") == "1.0"
    assert served.asked == []


def test_a_lock_file_holds_the_packages(served, tmp_path):
    layer(tmp_path)
    before = digest(tmp_path / "scripts-auto/.kbimg/stages/packages/packages.lock")
    done = run_doit(tmp_path, "write_lock", "cache=cache", "lock=exact.lock")
    assert done.returncode == 0, done.stdout
    served.publish("1.1")
    layer(tmp_path, "lock=exact.lock", "out=locked")
    assert version(tmp_path, "locked") == "1.0"
    assert digest(tmp_path / "locked/.kbimg/stages/packages/packages.lock") == before

    # Later the repository no longer has the old version, but the cache does.
    (served.folder / "noarch/kbimg-test-1.0-1.noarch.rpm").unlink()
    subprocess.run(["createrepo_c", "--quiet", served.folder], check=True)
    layer(tmp_path, "lock=exact.lock", "out=later")
    assert version(tmp_path, "later") == "1.0"
    # If neither has it, the build reports the missing package.
    done = run_doit(tmp_path, "packages", "cache=empty", "lock=exact.lock", "out=never")
    assert done.returncode != 0
    assert "kbimg-test-1.0-1.noarch" in done.stdout


def test_a_package_with_other_content_is_not_the_locked_one(served, tmp_path):
    layer(tmp_path)
    run_doit(tmp_path, "write_lock", "cache=cache", "lock=exact.lock")
    lock = tmp_path / "exact.lock"
    text = lock.read_text()
    (row,) = [line for line in text.splitlines() if line.startswith("kbimg-test-")]
    digits = row.split("\t")[1].split(":")[1]
    lock.write_text(text.replace(digits, digits[::-1]))
    done = run_doit(tmp_path, "packages", "cache=empty", "lock=exact.lock", "out=other")
    assert done.returncode != 0
    assert "kbimg-test-1.0-1.noarch" in done.stdout and "checksum" in done.stdout


@pytest.mark.parametrize(
    "text, message",
    [
        (None, "No such file"),
        ("", "found no line"),
        ("# x\nkernel\n", "exact.lock:2: expected a package, its checksum, "),
    ],
)
def test_bad_lock_files(tiny_repo, tmp_path, text, message):
    configure(tmp_path, tiny_repo)
    if text is not None:
        (tmp_path / "exact.lock").write_text(text)
    done = run_doit(tmp_path, "vm_img", "lock=exact.lock")
    assert done.returncode != 0
    assert message in done.stdout and "Traceback" not in done.stdout
    assert made(done.stdout) == []
