"""The data of a report, compared with the output of other programs for the same files."""

from __future__ import annotations

import hashlib
import os
import re
import subprocess
import sys
import tarfile
from pathlib import Path

import pytest
from building import DEMO, TOP, run_doit, write_config

from kbimg_tasks.build import runner
from kbimg_tasks.build.run_log import Event
from kbimg_tasks.commands.report import gathering
from kbimg_tasks.commands.report.model import Outcome, ResultFile, State, Work
from kbimg_tasks.dissect import file_systems, tree_sizes
from kbimg_tasks.dissect.file_systems import FileSystem
from kbimg_tasks.steps.args import Artifact, UserFile
from kbimg_tasks.steps.layout import Layout
from kbimg_tasks.steps.stage import Stage
from kbimg_tasks.steps.step import run

MIB = 1 << 20


@pytest.mark.parametrize("options", [(), ("-O", "^64bit"), ("-b", "1024"), ("-b", "4096")])
def test_ext4_as_dumpe2fs_tells_it(tmp_path: Path, options):
    image, tree = tmp_path / "image", tmp_path / "tree"
    tree.mkdir()
    (tree / "file").write_bytes(os.urandom(5 * MIB))
    subprocess.run(["truncate", "--size=104M", str(image)], check=True)
    subprocess.run(
        [
            "mke2fs",
            "-q",
            "-t",
            "ext4",
            *options,
            "-d",
            str(tree),
            "-E",
            f"offset={3 * MIB}",
            str(image),
            "100M",
        ],
        check=True,
    )
    told = subprocess.run(
        ["dumpe2fs", "-h", f"{image}?offset={3 * MIB}"], check=True, capture_output=True, text=True
    ).stdout
    count, free, size = (
        int(re.search(rf"^{name}: +(\d+)$", told, re.MULTILINE)[1])
        for name in ("Block count", "Free blocks", "Block size")
    )
    with open(image, "rb") as stream:
        assert file_systems.found(stream, 3 * MIB) == FileSystem("ext4", count * size, free * size)
        assert count * size == 100 * MIB
        assert not file_systems.is_empty(stream, 3 * MIB)
        assert file_systems.found(stream, 0) is None
        assert file_systems.is_empty(stream, 0)


@pytest.mark.parametrize(("bits", "mib"), [(12, 4), (16, 59), (32, 80)])
def test_fat_as_mtools_tell_it(tmp_path: Path, bits, mib):
    bare, image = tmp_path / "bare", tmp_path / "image"
    subprocess.run(
        ["mkfs.vfat", "-F", str(bits), "-C", str(bare), str(mib * 1024)],
        check=True,
        stdout=subprocess.DEVNULL,
    )
    (tmp_path / "file").write_bytes(bytes(1234567))
    subprocess.run(["mcopy", "-i", str(bare), str(tmp_path / "file"), "::file"], check=True)
    told = subprocess.run(
        ["mdir", "-i", str(bare), "::"], check=True, capture_output=True, text=True
    ).stdout
    free = int(re.search(r"([\d ]+) bytes free", told)[1].replace(" ", ""))
    image.write_bytes(bytes(MIB) + bare.read_bytes())
    with open(image, "rb") as stream:
        assert file_systems.found(stream, MIB) == FileSystem("vfat", mib * MIB, free)


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"\x55\xaa",
        bytes(510) + b"\x55\xaa",
        b"\xff" * 510 + b"\x55\xaa" + b"\xff" * 2000,
        bytes(1024 + 0x38) + b"\x53\xef" + bytes(2000),
        os.urandom(4096),
    ],
    ids=["empty", "short", "boot sector", "full boot sector", "ext4 mark", "random"],
)
def test_what_is_no_file_system(tmp_path: Path, content):
    (tmp_path / "image").write_bytes(content)
    with open(tmp_path / "image", "rb") as stream:
        assert file_systems.found(stream, 0) is None


def test_directories_with_all_that_is_in_them(tmp_path: Path):
    tree = tmp_path / "tree"
    for path, size in (
        ("usr/lib/modules/6.1/a", 500),
        ("usr/lib/b", 30),
        ("usr/bin/c", 200),
        ("etc/d", 7),
        ("e", 1),
    ):
        (tree / path).parent.mkdir(parents=True, exist_ok=True)
        (tree / path).write_bytes(bytes(size))
    os.link(tree / "usr/bin/c", tree / "usr/bin/linked")
    (tree / "usr/bin/soft").symlink_to("c")
    subprocess.run(
        [
            "tar",
            "--create",
            "--file",
            str(tmp_path / "tree.tar"),
            "--sort=name",
            "--format=posix",
            "--directory",
            str(tree),
            ".",
        ],
        check=True,
    )
    sizes = tuple(tree_sizes.files(tmp_path / "tree.tar"))

    def shown(levels: int, count: int) -> list:
        return [
            (folder.path, folder.depth, folder.total_bytes)
            for folder in tree_sizes.largest(sizes, levels, count)
        ]

    assert shown(3, 99) == [
        ("/", 0, 738),
        ("/usr", 1, 730),
        ("/usr/lib", 2, 530),
        ("/usr/lib/modules", 3, 500),
        ("/usr/bin", 2, 200),
        ("/etc", 1, 7),
    ]
    assert shown(1, 99) == [("/", 0, 738), ("/usr", 1, 730), ("/etc", 1, 7)]
    assert shown(3, 2) == [("/", 0, 738), ("/usr", 1, 730), ("/usr/lib", 2, 530)]
    assert tree_sizes.largest((), 3, 5)[0].total_bytes == 0


def test_a_damaged_tar_is_a_file_that_cannot_be_read(tmp_path: Path):
    (tmp_path / "kubeos.tar").write_bytes(b"no tar" * 1000)
    with pytest.raises(OSError, match=r"no whole tar"):
        list(tree_sizes.files(tmp_path / "kubeos.tar"))
    assert issubclass(tarfile.ReadError, tarfile.TarError)


def test_sums(tmp_path: Path):
    result, told = tmp_path / "kubeos.tar", tmp_path / "kubeos.tar.sha256"
    result.write_bytes(b"content")
    digest = hashlib.sha256(b"content").hexdigest()
    assert gathering.result_of(result) == ResultFile(
        "kubeos.tar", 7, result.stat().st_blocks * 512, digest
    )
    told.write_text(f"{'0' * 64}  kubeos.tar\n")
    assert gathering.result_of(result).sha256 == "0" * 64
    os.utime(told, (1, 1))  # made of what was there before
    assert gathering.result_of(result).sha256 == digest
    told.write_text("nonsense\n")
    assert gathering.result_of(result).sha256 == digest


def test_a_disk_is_not_read_for_its_sum(tmp_path: Path):
    disk = tmp_path / "system.img"
    with open(disk, "wb") as stream:
        stream.truncate(20 << 30)
    assert gathering.result_of(disk) == ResultFile("system.img", 20 << 30, 0, "")
    (tmp_path / "system.img.sha256").write_text(f"{'a' * 64}  system.img\n")
    assert gathering.result_of(disk).sha256 == "a" * 64


def test_the_largest_packages_come_first(tmp_path: Path):
    lock = tmp_path / "packages.lock"
    assert gathering.packages(lock) == ()
    lock.write_text(
        "a-1-1.x86_64\tsha256:0\t5\t0\nb-1-1.noarch\tsha256:0\t70\t0\n"
        "c-1-1.noarch\tsha256:0\t5\t0\n"
    )
    assert [(one.name, one.installed_bytes) for one in gathering.packages(lock)] == [
        ("b-1-1.noarch", 70),
        ("a-1-1.x86_64", 5),
        ("c-1-1.noarch", 5),
    ]


def test_states(tmp_path: Path):
    source, other = tmp_path / "source", tmp_path / "other"
    source.write_text("one\n")
    other.write_text("one\n")
    layout = Layout(tmp_path / "out", tmp_path / "cache")
    first, second, third, never = (
        Artifact(name, name) for name in ("first", "second", "third", "never")
    )
    stages = (
        Stage("first", "", "0", (first,), (run("cp", UserFile(source), first),)),
        Stage("second", "", "0", (second,), (run("cp", UserFile(other), second),)),
        Stage("third", "", "0", (third,), (run("cp", first, third), run("stat", second))),
        Stage("never", "", "0", (never,), (run("cp", third, never),)),
    )

    def states() -> list:
        return [stage.state for stage in gathering.states(stages, layout)]

    assert states() == [State.NOT_MADE] * 4
    assert not layout.out.exists()
    for stage in stages[:3]:
        runner.perform(stage, layout)
    assert states() == [State.MADE, State.MADE, State.MADE, State.NOT_MADE]
    found = gathering.states(stages, layout)
    assert found[2].needs == ("first", "second")
    assert found[0].seconds > 0
    assert found[3].seconds is None
    other.write_text("two\n")
    assert states() == [State.MADE, State.OUTDATED, State.OUTDATED, State.NOT_MADE]
    layout.stamp("first").unlink()
    assert states() == [State.NOT_MADE, State.OUTDATED, State.OUTDATED, State.NOT_MADE]


def test_a_run_out_of_its_log():
    def event(stage: str, what: str, at: float) -> Event:
        return Event("run", stage, what, 1000 + at, 50 + at)

    log = (
        event("a", "begun", 0),
        event("b", "begun", 1),
        event("a", "made", 2),
        event("c", "begun", 3),
        event("b", "failed", 4),
        event("a", "begun", 4.5),
    )
    made = gathering.run_of(log)
    assert made.began == 1000
    assert made.works == (
        Work("a", 0, 2, Outcome.MADE),
        Work("b", 1, 4, Outcome.FAILED),
        Work("c", 3, 4.5, Outcome.NO_END),
        Work("a", 4.5, 4.5, Outcome.NO_END),
    )
    assert made.seconds == 4.5
    assert gathering.run_of(()) is None


def test_where_nothing_is_built_a_report_says_so_and_makes_nothing_else(tmp_path: Path):
    write_config(tmp_path)
    done = run_doit(tmp_path, "report", "out=out", PATH="/nowhere")  # nothing of a host is needed
    assert done.returncode == 0, done.stdout
    assert done.stdout.splitlines() == [f"wrote {tmp_path}/out/report.html"]
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["report.html"]
    assert "Nothing has been built here yet." in (tmp_path / "out/report.html").read_text()


@pytest.mark.parametrize("name", ["dm-verity", "pxe-img"])
def test_every_kind_of_image_has_a_report(tmp_path: Path, name):
    done = run_doit(tmp_path, "report", f"config={DEMO / name}.toml")
    assert done.returncode == 0, done.stdout
    assert "system_img" in (tmp_path / "scripts-auto/report.html").read_text()


def test_a_mistake_in_the_configuration_is_told(tmp_path: Path):
    write_config(tmp_path, version="")
    done = run_doit(tmp_path, "report")
    assert done.returncode == 1
    assert "kbimg.toml:6: from_repo.version: expected a version" in done.stdout
    assert "Traceback" not in done.stdout
    assert not (tmp_path / "scripts-auto").exists()


def test_a_report_beside_a_build(tmp_path: Path):
    from kbimg_tasks.build import lock

    write_config(tmp_path)
    lock.hold(Layout(tmp_path / "scripts-auto"))
    assert run_doit(tmp_path, "report").returncode == 0
    assert "another build is running" in run_doit(tmp_path, "vm_img").stdout


def test_without_the_powers_of_root(tmp_path: Path):
    """Root without capabilities is like any user, but can still find this Python."""
    write_config(tmp_path)

    def report() -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [
                "setpriv",
                "--bounding-set=-all",
                "--inh-caps=-all",
                sys.executable,
                "-m",
                "doit",
                "-f",
                str(TOP / "dodo.py"),
                "report",
            ],
            cwd=tmp_path,
            text=True,
            check=False,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
        )

    done = report()
    assert done.returncode == 0, done.stdout
    private = tmp_path / "scripts-auto/.kbimg"
    private.mkdir(mode=0o700)
    os.chown(private, 1, 1)
    done = report()
    assert done.returncode == 1
    assert "report: Permission denied: " in done.stdout
    assert "Traceback" not in done.stdout
