"""`doit clean` and `doit cleanup` of kbimg's own output directory."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from building import TOP, run_doit, write_config


def stage(out: Path, name: str, **results: str) -> None:
    """A published stage of another configuration."""
    folder = out / ".kbimg/stages" / name
    folder.mkdir(parents=True)
    (folder / "inner").write_text("x" * 5000)
    for result, text in results.items():
        (out / result.replace("_", ".")).write_text(text)
    told = {result.replace("_", "."): {"is_result": True} for result in results}
    (folder / "stamp.json").write_text(
        json.dumps(
            {
                "fingerprint": "f",
                "seconds": 1.0,
                "artifacts": {"inner": {"is_result": False}, **told},
            }
        )
    )


@pytest.fixture
def out(tmp_path: Path) -> Path:
    """An output directory after an abort, with files of the user."""
    out = tmp_path / "scripts-auto"
    stage(out, "of_long_ago", former_img="an image")
    stage(out, "rootfs")
    for name in ("partial/esp/deep", "logs"):
        (out / ".kbimg" / name).mkdir(parents=True)
    (out / ".kbimg/partial/esp/deep/file").write_text("half")
    (out / ".kbimg/logs/esp.log").write_text("said")
    (out / ".kbimg/lock").write_text("process 1, of a dead build\n")
    (out / ".kbimg/fingerprint.key").write_bytes(b"key")
    (out / "system.img").write_text("disk")
    (out / "keys").mkdir()
    (out / "keys/db.key").write_text("secret")
    (out / "mine.txt").write_text("the user's")
    return out


def succeeds(folder: Path, *argv: str) -> str:
    done = run_doit(folder, *argv)
    assert done.returncode == 0, done.stdout
    return done.stdout


def fails(folder: Path, *argv: str) -> str:
    done = run_doit(folder, *argv)
    assert done.returncode == 1, done.stdout
    assert "Traceback" not in done.stdout
    return done.stdout


def snapshot(folder: Path) -> list:
    return sorted((str(path), path.lstat().st_mtime_ns) for path in folder.rglob("*"))


@pytest.mark.parametrize("configuration", [None, "[from_repo\n", "[nonsense]\na = 1\n"])
def test_all_that_builds_made_goes_and_all_else_stays(out, tmp_path, configuration):
    if configuration:
        (tmp_path / "kbimg.toml").write_text(configuration)
    succeeds(tmp_path, "clean")
    assert sorted(os.listdir(out)) == ["keys", "mine.txt"]
    assert (out / "keys/db.key").read_text() == "secret"
    before = snapshot(tmp_path)
    assert f"nothing to delete in {out}" in succeeds(tmp_path, "clean")
    assert snapshot(tmp_path) == before


def test_a_report_and_a_plan_go_and_what_is_not_ours_stays(tmp_path):
    write_config(tmp_path)
    out = tmp_path / "scripts-auto"
    for task in ("report", "plan"):
        succeeds(tmp_path, task)
    (out / ".plan.4194304").mkdir()
    (out / ".report.html.partial").write_text("<!DOCT")
    assert {"report.html", "plan", ".plan.4194304", ".report.html.partial"} <= {*os.listdir(out)}
    succeeds(tmp_path, "cleanup")
    assert {path.name for path in out.glob("[!.]*")} == {"report.html", "plan"}
    assert not any(out.glob(".[!k]*"))
    succeeds(tmp_path, "clean")
    assert not out.exists()
    (out / "plan").mkdir(parents=True)
    (out / ".plan.new").mkdir()
    (out / "report.html").write_text("<html>of another program</html>")
    succeeds(tmp_path, "clean")
    assert sorted(os.listdir(out)) == [".plan.new", "plan", "report.html"]


def test_an_empty_output_directory_goes_too(out, tmp_path):
    (out / "mine.txt").unlink()
    (out / "keys/db.key").unlink()
    (out / "keys").rmdir()
    succeeds(tmp_path, "clean")
    assert os.listdir(tmp_path) == []
    succeeds(tmp_path, "clean")
    assert os.listdir(tmp_path) == []


def test_a_dry_run_shows_all_with_sizes_and_deletes_nothing(out, tmp_path):
    with open(out / "system.img", "wb") as stream:  # 1 MiB of data, 1 GiB long
        stream.write(os.urandom(1 << 20))
        stream.truncate(1 << 30)
    before = snapshot(tmp_path)
    rows = [line.split() for line in succeeds(tmp_path, "clean", "-n").splitlines()[1:]]
    assert snapshot(tmp_path) == before
    shown = {row[2]: " ".join(row[:2]) for row in rows}
    assert shown[str(out / "system.img")] == "1.0 MiB"
    assert {
        str(out / "former.img"),
        str(out / ".kbimg/partial"),
        str(out / ".kbimg/stages/of_long_ago"),
        str(out / ".kbimg"),
    } <= set(shown)
    assert not any("mine" in path or "keys" in path for path in shown)
    used = subprocess.run(
        ["du", "-s", "-B1", "--exclude=keys", "--exclude=mine.txt", out],
        check=True,
        text=True,
        capture_output=True,
    ).stdout.split()[0]
    own = out.lstat().st_blocks * 512
    assert rows[-1][2:] == ["in", "all"]
    assert abs(float(rows[-1][0]) * (1 << 20) - (int(used) - own)) < 0.06 * (1 << 20)


def test_a_build_at_work_is_named_and_keeps_everything(out, tmp_path):
    hold = (
        "import fcntl, sys, time; from pathlib import Path\n"
        "from kbimg_tasks.build import lock; from kbimg_tasks.steps.layout import Layout\n"
        "lock.hold(Layout(Path(sys.argv[1]))); print('ready', flush=True); time.sleep(1000)"
    )
    with subprocess.Popen(
        [sys.executable, "-c", hold, str(out)],
        stdout=subprocess.PIPE,
        env={**os.environ, "PYTHONPATH": str(TOP)},
    ) as process:
        try:
            process.stdout.readline()
            before = snapshot(tmp_path)
            for argv in (("clean",), ("clean", "force=1"), ("clean", "rootfs"), ("cleanup",)):
                assert f"another build is running here: process {process.pid}" in fails(
                    tmp_path, *argv
                )
            assert snapshot(tmp_path) == before
        finally:
            process.send_signal(signal.SIGKILL)
    succeeds(tmp_path, "clean")
    assert not (out / ".kbimg").exists()


@pytest.mark.parametrize(
    ("word", "message"),
    [
        ("force=yes", 'force=: expected 0 or 1, found "yes"'),
        ("ouy=elsewhere", "unknown argument ouy="),
    ],
)
def test_a_word_that_is_not_understood_keeps_everything(out, tmp_path, word, message):
    before = snapshot(tmp_path)
    for argv in (("clean",), ("clean", "-n"), ("clean", "rootfs"), ("cleanup",)):
        if argv != ("cleanup",):
            assert message in fails(tmp_path, *argv, word)
            assert snapshot(tmp_path) == before
    assert message in run_doit(tmp_path, "cleanup", word).stdout
    assert (out / ".kbimg/partial").exists()


def test_one_stage(out, tmp_path):
    stage(out, "esp")
    shown = succeeds(tmp_path, "clean", "-n", "esp")
    assert str(out / ".kbimg/stages/esp") in shown and "of_long_ago" not in shown
    succeeds(tmp_path, "clean", "esp")
    assert sorted(os.listdir(out / ".kbimg/stages")) == ["of_long_ago", "rootfs"]
    assert os.listdir(out / ".kbimg/partial") == []
    assert (out / "system.img").exists()


def test_an_image_goes_with_its_results_only(out, tmp_path):
    succeeds(tmp_path, "clean", "vm_img")
    assert not (out / "system.img").exists()
    assert (out / ".kbimg/stages/rootfs/stamp.json").exists()


def test_cleanup_keeps_what_is_finished(out, tmp_path):
    (out / ".kbimg/stages/unstamped").mkdir()
    (out / ".kbimg/stages/rootfs/stamp.4711").touch()
    succeeds(tmp_path, "cleanup")
    assert sorted(os.listdir(out / ".kbimg")) == ["fingerprint.key", "lock", "logs", "stages"]
    assert sorted(os.listdir(out / ".kbimg/stages")) == ["of_long_ago", "rootfs"]
    assert sorted(os.listdir(out / ".kbimg/stages/rootfs")) == ["inner", "stamp.json"]
    assert {"system.img", "former.img", "mine.txt", "keys"} <= set(os.listdir(out))


@pytest.mark.parametrize(
    "place", [".kbimg", ".kbimg/stages", ".kbimg/partial", ".kbimg/logs/l", "system.img"]
)
def test_a_link_out_of_the_directory_is_not_followed(out, tmp_path, place):
    home = tmp_path / "home"
    (home / "rootfs").mkdir(parents=True)
    (home / "rootfs/stamp.json").write_text("{}")
    (home / "letter").write_text("dear")
    if os.path.isdir(out / place):
        (out / place).rename(tmp_path / "aside")
    (out / place).unlink(missing_ok=True)
    (out / place).symlink_to(home)
    before = snapshot(home)
    for argv in (("clean", "-n"), ("clean", "rootfs"), ("clean",)):
        succeeds(tmp_path, *argv)
    assert snapshot(home) == before
    assert not os.path.lexists(out / place)


@pytest.mark.parametrize(
    "stamp",
    [
        "",
        "[]",
        '{"fingerprint": 1, "seconds": 1, "artifacts": []}',
        "\xff",
        json.dumps(
            {
                "fingerprint": "",
                "seconds": 0,
                "artifacts": {
                    "../victim": {"is_result": True},
                    "..": {"is_result": True},
                    "": {"is_result": True},
                    "mine.txt": [],
                },
            }
        ),
    ],
)
def test_a_stamp_that_cannot_be_trusted_names_nothing(out, tmp_path, stamp):
    (tmp_path / "victim").touch()
    (out / ".kbimg/stages/rootfs/stamp.json").write_text(stamp, encoding="latin-1")
    (out / ".kbimg/stages/not-a-folder").touch()
    succeeds(tmp_path, "clean")
    assert (tmp_path / "victim").exists()
    assert sorted(os.listdir(out)) == ["keys", "mine.txt"]


def test_a_link_as_the_output_directory_stays(out, tmp_path):
    out.rename(tmp_path / "large-disk")
    out.symlink_to(tmp_path / "large-disk")
    succeeds(tmp_path, "clean")
    assert out.is_symlink()
    assert sorted(os.listdir(out)) == ["keys", "mine.txt"]


def test_a_directory_that_is_not_there_is_said(tmp_path: Path):
    done = run_doit(tmp_path, "clean", "out=elsewhere")
    assert done.returncode == 0
    assert f"there is no {tmp_path}/elsewhere" in done.stdout
    assert list(tmp_path.iterdir()) == []
