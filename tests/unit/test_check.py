"""`doit check` as a user runs it."""

from __future__ import annotations

import fcntl
import json
import os
import pty
import subprocess
import sys
from pathlib import Path

import pytest
import started
from building import DEMO, TOP, run_doit, write_config

PXE = (
    '[pxe_config]\nserver_ip = "10.0.0.1"\nrootfs_name = "kubeos.tar"\ndisk = "/dev/vda"\n'
    'route_ip = "10.0.0.2"\ndhcp = true\n'
)


def found(cwd: Path, *argv: str) -> list:
    """The JSON document, which is the whole of stdout."""
    done = started.doit(cwd, "-f", str(TOP / "dodo.py"), "check", "json=1", *argv, separate=True)
    assert done.stderr == ""
    problems = json.loads(done.stdout)
    assert done.returncode == int(any(one["severity"] == "error" for one in problems))
    return problems


def test_all_is_well(tmp_path: Path):
    write_config(tmp_path, more='upgrade_img = "a:1"\n' + PXE)
    assert found(tmp_path) == []
    done = run_doit(tmp_path, "check")
    assert done.returncode == 0, done.stdout
    first, second = done.stdout.splitlines()
    assert first == "kbimg.toml OK: vm_img, pxe_img, upgrade_img (x86_64)"
    assert second.startswith("host OK: ")
    assert [path.name for path in tmp_path.iterdir()] == ["kbimg.toml"]


def test_the_manual_shows_what_is_printed(tmp_path: Path):
    manual = (TOP / "docs/check.md").read_text()
    text = manual.partition("```toml\n")[2].partition("```")[0]
    printed = [part.partition("\n```")[0] for part in manual.split("$ doit check\n")[1:]]
    entry = json.loads(manual.partition("```json\n")[2].partition("```")[0])
    for name in ("os-agent", "demo.repo"):
        (tmp_path / name).symlink_to(DEMO / name)
    path = tmp_path / "kbimg.toml"
    path.write_text(text)
    assert run_doit(tmp_path, "check", "arch=x86_64").stdout.rstrip() == printed[0]
    assert found(tmp_path)[0] == entry
    for wrong, right in (
        ('"false"', "false"),
        ('"openEuler12#$"', '"*"'),
        (', ""', ""),
        ("pasword", "passwd"),
    ):
        text = text.replace(wrong, right)
    path.write_text(text)
    done = run_doit(tmp_path, "check", "arch=x86_64")
    assert done.stdout.splitlines()[0] == printed[1].splitlines()[0]


def test_every_image_is_checked_with_the_files_that_options_name(tmp_path: Path):
    path = write_config(
        tmp_path,
        more=f'upgrade_img = "a:1"\n{PXE}[admin_container]\n'
        'img_name = "a:1"\nhostshell = "no-hostshell"\n',
    )
    text = path.read_text().replace(str(DEMO / "demo.repo"), "own.repo")
    path.write_text(text.replace("dhcp = true", "dhcp = false"))
    (tmp_path / "own.repo").write_text("[a]\nbaseurl = http://me:hunter2@x/\ngpgcheck = maybe\n")
    problems = found(tmp_path)
    assert [(one["file"], one["option"]) for one in problems] == [
        *(("kbimg.toml", "pxe_config"),) * 3,
        ("kbimg.toml", "admin_container.hostshell"),
        ("own.repo", "[a] gpgcheck"),
    ]
    rows = path.read_text().splitlines()
    assert [one["line"] for one in problems[3:]] == [len(rows), 3]
    assert rows[-1] == 'hostshell = "no-hostshell"'
    done = run_doit(tmp_path, "check")
    assert done.returncode == 1
    assert "3 | gpgcheck = ••••••\n  |            ^^^^^^ [a] gpgcheck" in done.stdout
    assert "; checked kbimg.toml for vm_img, pxe_img, upgrade_img, admin_container (" in done.stdout
    assert "hunter2" not in done.stdout


def test_a_warning_is_no_error(tmp_path: Path):
    write_config(tmp_path, more=PXE)
    path = tmp_path / "kbimg.toml"
    path.write_text(path.read_text().replace("legacy_bios = false", "legacy_bios = true"))
    (warning,) = found(tmp_path)
    assert (warning["severity"], warning["line"], warning["column"]) == ("warning", 3, 15)
    done = run_doit(tmp_path, "check")
    assert done.returncode == 0
    assert done.stdout.startswith("warning: ignored by pxe_img")
    assert "kbimg.toml OK: vm_img, pxe_img (" in done.stdout


def test_an_image_that_another_table_excludes_is_no_error(tmp_path: Path):
    verity = '[grub]\npasswd = "x"\n[dm_verity]\nefi_key = "a"\ngrub_key = "b"\n'
    path = write_config(tmp_path, more=PXE + verity)
    (warning,) = found(tmp_path)
    assert (warning["severity"], warning["option"]) == ("warning", "pxe_config")
    assert path.read_text().splitlines()[warning["line"] - 1] == "[pxe_config]"
    done = run_doit(tmp_path, "check")
    assert done.returncode == 0
    assert done.stdout.startswith("warning: ignored: pxe_img cannot be built with dm-verity")
    assert "kbimg.toml OK: vm_img (" in done.stdout
    refused = run_doit(tmp_path, "pxe_img")
    assert refused.returncode == 1
    assert "dm_verity: excludes pxe_img" in refused.stdout
    path.write_text(path.read_text().replace("dhcp = true", "dhcp = 7"))
    assert [(one["severity"], one["option"]) for one in found(tmp_path)] == [
        ("error", "pxe_config.dhcp")
    ]


@pytest.mark.parametrize(
    ("argv", "message"),
    [
        (("config=none.toml",), "no such configuration file; name one with config=FILE"),
        (("confg=x",), "unknown argument confg=; expected one of config=, "),
        (("json=yes",), 'json=: expected 0 or 1, found "yes"'),
    ],
)
def test_words_that_lead_nowhere(tmp_path: Path, argv, message):
    write_config(tmp_path)
    done = run_doit(tmp_path, "check", *argv)
    assert done.returncode == 1
    assert f"error: {message}" in done.stdout
    assert "1 error; " in done.stdout
    assert "Traceback" not in done.stdout


def test_the_host_is_checked(tmp_path: Path):
    write_config(tmp_path)
    done = run_doit(tmp_path, "check", PATH=str(tmp_path))
    assert done.returncode == 1
    assert (
        "error: no program mcopy: it is in the package mtools on Debian, mtools on openEuler"
        in done.stdout
    )
    assert "error: no program mksquashfs" not in done.stdout


def test_an_image_that_no_engine_has(tmp_path: Path):
    (tmp_path / "kbimg.toml").write_text('[from_dockerimg]\nupgrade_img = "no-such-image:1"\n')
    (problem,) = found(tmp_path, "engine=none")
    assert (problem["line"], problem["column"], problem["end_column"]) == (2, 15, 32)


def test_a_build_at_work_is_no_hindrance(tmp_path: Path):
    write_config(tmp_path)
    held = tmp_path / "scripts-auto/.kbimg/lock"
    held.parent.mkdir(parents=True)
    with open(held, "w") as stream:
        fcntl.flock(stream, fcntl.LOCK_EX)
        assert "another build is running here" in run_doit(tmp_path, "store").stdout
        assert found(tmp_path) == []


@pytest.mark.parametrize(("environment", "has_colours"), [({}, True), ({"NO_COLOR": "1"}, False)])
def test_colours_on_a_terminal(tmp_path: Path, environment, has_colours):
    clean = {name: value for name, value in os.environ.items() if name != "NO_COLOR"}
    ours, theirs = pty.openpty()
    process = subprocess.Popen(
        [sys.executable, "-m", "doit", "-f", str(TOP / "dodo.py"), "check"],
        cwd=tmp_path,
        stdout=theirs,
        stderr=theirs,
        stdin=subprocess.DEVNULL,
        env={**clean, "TERM": "xterm", **environment},
    )
    os.close(theirs)
    shown = b""
    try:
        while True:
            shown += os.read(ours, 4096)
    except OSError:  # the other end is closed
        os.close(ours)
    assert process.wait() == 1
    assert (b"\033[1;31merror\033[0m" in shown) == has_colours
    assert (b"\033[" in shown) == has_colours
