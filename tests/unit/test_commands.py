"""Commands of a user, and the messages if something cannot be built."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from building import TOP, run_doit, write_config

from kbimg_tasks.plan.kinds import KINDS
from kbimg_tasks.session import request

STAGES = [
    "packages",
    "rootfs",
    "initramfs",
    "grub",
    "customised",
    "esp",
    "root_b",
    "persist",
    "system_img",
    "system_qcow2",
    "kubeos_tar",
]


def test_list_works_without_a_configuration(tmp_path: Path):
    done = run_doit(tmp_path, "list")
    assert done.returncode == 0
    rows = dict(line.split(None, 1) for line in done.stdout.splitlines())
    assert [name for name in rows if name in STAGES] == STAGES
    assert all(rows.values())
    assert list(tmp_path.iterdir()) == []


def test_what_users_name_is_listed_before_what_builds_make(tmp_path: Path):
    names = [line.split()[0] for line in run_doit(tmp_path, "list").stdout.splitlines()]
    assert names[:6] == [*KINDS, "check", "arguments"]
    first = names.index("ready")
    assert all(name not in names[:first] for name in STAGES)
    assert not set(names[first:]) & {"plan", "report", "store", "prune", "cleanup", "demo_repo"}


def test_the_words_of_the_command_line(tmp_path: Path):
    printed = run_doit(tmp_path, "arguments").stdout
    assert [
        line.split("=")[0] for line in printed.splitlines() if "=" in line.split("  ")[0]
    ] == list(request.KNOWN)
    assert "arch=x86_64|aarch64" in printed
    assert list(tmp_path.iterdir()) == []


def test_list_works_with_a_broken_configuration(tmp_path: Path):
    (tmp_path / "kbimg.toml").write_text("[from_repo\n")
    assert run_doit(tmp_path, "list").returncode == 0


def test_the_manual_has_all_that_is_listed(tmp_path: Path):
    manual = (TOP / "docs/reference/commands.md").read_text()
    for line in run_doit(tmp_path, "list").stdout.splitlines():
        name, doc = line.split(None, 1)
        assert f"| `{name}` | {doc} |" in manual


def test_info(tmp_path: Path):
    write_config(tmp_path)
    done = run_doit(tmp_path, "info", "rootfs", "config=kbimg.toml")
    assert "the packages installed into one tree" in done.stdout
    assert "    - its result is missing or out of date (" in done.stdout
    assert "Artifact(" not in done.stdout and " at 0x" not in done.stdout
    assert "$1$xyz" not in run_doit(tmp_path, "info", "customised").stdout


def test_what_is_not_built_can_be_asked_about(tmp_path: Path):
    (tmp_path / "kbimg.toml").write_text(
        "[admin_container]\nimg_name = 'admin:v1'\nhostshell = '/usr/bin/env'\n"
    )
    for argv in (
        ("list", "--status"),
        ("info", "load_admin_container"),
        ("info", "admin_archive"),
        ("clean", "admin_archive"),
    ):
        done = run_doit(tmp_path, *argv, "engine=none")
        assert "Traceback" not in done.stdout, done.stdout
    for task in ("admin_container", "load_admin_container", "admin_tar"):
        done = run_doit(tmp_path, task, "engine=none")
        assert "kbimg.toml:1: admin_container: expected repo_path" in done.stdout, done.stdout


def test_variables_work_in_any_place(tmp_path: Path):
    (tmp_path / "sub").mkdir()
    write_config(tmp_path / "sub")
    named = "config=sub/kbimg.toml"
    for argv in ((named, "info", "esp"), ("info", "esp", named)):
        assert f"{tmp_path}/scripts-auto/.kbimg" in run_doit(tmp_path, *argv).stdout
    assert f"{tmp_path}/else/.kbimg" in run_doit(tmp_path, "info", "esp", "out=else").stdout


@pytest.mark.parametrize(
    ("argv", "message"),
    [
        (("vm_img",), "kbimg.toml: no such configuration file; name one with config=FILE"),
        (("vm_img", "config=other.toml"), "other.toml: no such configuration file"),
        (("vm_img", "confg=x"), "unknown argument confg=; expected one of config=, out=, arch=, "),
        (("vm_img", "store_gib=many"), 'store_gib=: expected a number of GiB, found "many"'),
        (("vm_img", "offline=yes"), 'offline=: expected 0 or 1, found "yes"'),
        (("rootfs",), "kbimg.toml: no such configuration file"),
        (
            ("upgrade_img", "engine=dokcer"),
            'engine=: expected one of auto, docker, podman, nerdctl, ctr, none, found "dokcer"',
        ),
        (("upgrade_img", "push=kubeos:v1"), "push=: expected an image name with its registry"),
        (
            ("upgrade_img", "push=localhost/Kubeos:v1"),
            'such as registry.example.org/kubeos-upgrade:v1, found "localhost/Kubeos:v1"',
        ),
        (
            ("vm_img", "push=localhost:5000/kubeos:v1"),
            "push=: expected one of upgrade_img and admin_container to be built "
            "and pushed, found nei",
        ),
    ],
)
def test_refusals(tmp_path: Path, argv, message):
    done = run_doit(tmp_path, *argv)
    assert done.returncode != 0
    assert message in done.stdout
    assert "Traceback" not in done.stdout


def test_every_mistake_at_once_and_nothing_is_built(tmp_path: Path):
    path = write_config(tmp_path)
    path.write_text(path.read_text().replace('"v1"', '""').replace("os-agent", "none"))
    done = run_doit(tmp_path, "vm_img")
    assert done.returncode == 1
    assert "kbimg.toml:6: from_repo.version: expected a version" in done.stdout
    assert "kbimg.toml:2: from_repo.agent_path: expected a file" in done.stdout
    assert not (tmp_path / "scripts-auto/.kbimg/stages").exists()


def test_an_upgrade_image_that_no_engine_has(tmp_path: Path):
    (tmp_path / "kbimg.toml").write_text('[from_dockerimg]\nupgrade_img = "no-such-image:1"\n')
    done = run_doit(tmp_path, "vm_img", "engine=none")
    assert done.returncode == 1
    assert (
        "kbimg.toml:2: from_dockerimg.upgrade_img: expected an image of a container engine, "
        'found "no-such-image:1", but engine=none disables container engines; load it, '
        'or name a file with it: archive = "upgrade_img.tar"'
    ) in done.stdout
    assert run_doit(tmp_path, "list").returncode == 0


def test_legacy_bios_is_of_one_architecture_only(tmp_path: Path):
    (tmp_path / "kbimg.toml").write_text(
        '[from_dockerimg]\nupgrade_img = "a:1"\nlegacy_bios = true\n'
    )
    done = run_doit(tmp_path, "vm_img", "arch=arm64", "engine=none")
    assert done.returncode == 1
    assert (
        "kbimg.toml:3: from_dockerimg.legacy_bios: expected false on aarch64, which has no "
        "legacy BIOS, found true"
    ) in done.stdout


def test_an_architecture_that_images_cannot_be_made_for(tmp_path: Path):
    write_config(tmp_path)
    done = run_doit(tmp_path, "vm_img", "arch=riscv64")
    assert done.returncode == 1
    assert 'arch=: expected one of x86_64, aarch64, found "riscv64"' in done.stdout


def test_bad_clock(tmp_path: Path):
    write_config(tmp_path)
    done = run_doit(tmp_path, "vm_img", SOURCE_DATE_EPOCH="yesterday")
    assert done.returncode == 1
    assert 'SOURCE_DATE_EPOCH: expected seconds since 1970, found "yesterday"' in done.stdout


def test_missing_programs_are_told_all_at_once(tmp_path: Path):
    write_config(tmp_path)
    # doit itself runs; the host seems to have nothing.
    done = subprocess.run(
        [sys.executable, "-m", "doit", "-f", str(TOP / "dodo.py"), "vm_img"],
        cwd=tmp_path,
        text=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        check=False,
        env={**os.environ, "PATH": str(tmp_path)},
    )
    assert done.returncode == 1
    for line in (
        "no program dnf or yum: it is in the package dnf on Debian, dnf on openEuler",
        "no program mcopy: it is in the package mtools on Debian, mtools on openEuler",
        "no program qemu-img: it is in the package qemu-utils on Debian, qemu-img on openEuler",
    ):
        assert line in done.stdout
    assert "package ?" not in done.stdout
    assert "Traceback" not in done.stdout


def test_clean_without_anything(tmp_path: Path):
    done = run_doit(tmp_path, "clean")
    assert done.returncode == 0, done.stdout
    assert list(tmp_path.iterdir()) == []
