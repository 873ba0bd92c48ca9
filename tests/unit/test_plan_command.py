"""`doit plan` as a user types it."""

from __future__ import annotations

import fcntl
import os
import subprocess
import sys
from pathlib import Path

import pytest
from building import TOP, run_doit, write_config

NOBODY = 65534
# Nobody may write or mount anything, but must be able to read the checkout and its Python.
AS_NOBODY = (
    "setpriv",
    f"--reuid={NOBODY}",
    f"--regid={NOBODY}",
    "--clear-groups",
    "--bounding-set=-all,+dac_read_search",
    "--inh-caps=-all,+dac_read_search",
    "--ambient-caps=+dac_read_search",
)


def test_nothing_but_the_plan_is_written(tmp_path: Path):
    write_config(tmp_path)
    done = run_doit(tmp_path, "plan")
    assert done.returncode == 0, done.stdout
    assert f"as root: KBIMG_OUT=DIR sh {tmp_path}/scripts-auto/plan/build.sh" in done.stdout
    assert [path.name for path in tmp_path.iterdir() if path.is_dir()] == ["scripts-auto"]
    assert [path.name for path in (tmp_path / "scripts-auto").iterdir()] == ["plan"]
    names = [path.name for path in sorted((tmp_path / "scripts-auto/plan").glob("[0-9]*"))]
    assert (names[0], names[8], names[-1]) == (
        "01-packages.sh",
        "09-system_img.sh",
        "15-build_tools.sh",
    )


def test_by_another_user_on_a_host_that_cannot_build(tmp_path: Path):
    write_config(tmp_path)
    out = tmp_path / "out"
    out.mkdir()
    os.chown(out, NOBODY, NOBODY)
    (tmp_path / "bin").mkdir()
    command = [sys.executable, "-m", "doit", "-f", str(TOP / "dodo.py"), "plan", "out=out"]
    environment = {"PATH": str(tmp_path / "bin"), "PYTHONDONTWRITEBYTECODE": "1"}
    done = subprocess.run(
        [
            "/usr/bin/env",
            "-i",
            *(f"{k}={v}" for k, v in environment.items()),
            f"/usr/bin/{AS_NOBODY[0]}",
            *AS_NOBODY[1:],
            *command,
        ],
        cwd=tmp_path,
        text=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        check=False,
    )
    assert done.returncode == 0, done.stdout
    plan = out / "plan"
    assert (plan / "build.sh").stat().st_uid == NOBODY
    assert run_doit(tmp_path, "plan", "out=other").returncode == 0
    for path in (tmp_path / "other/plan").rglob("*"):
        same = plan / path.relative_to(tmp_path / "other/plan")
        assert path.is_dir() or path.read_bytes() == same.read_bytes()
    os.chown(out, 0, 0)
    done = subprocess.run(
        [*AS_NOBODY, *command],
        cwd=tmp_path,
        text=True,
        check=False,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
    )
    assert done.returncode == 1
    assert f"{out}/.plan." in done.stdout
    assert "Permission denied" in done.stdout
    assert "Traceback" not in done.stdout


@pytest.mark.parametrize(
    ("image", "last"),
    [
        ("vm_img", "kubeos_tar_sha256"),
        ("upgrade_img", "upgrade_archive"),
        ("pxe_img", "pxe_initramfs"),
        ("admin_container", "admin_archive"),
    ],
)
def test_every_image(image, last, tmp_path: Path):
    path = write_config(tmp_path)
    path.write_text(
        path.read_text().replace("version", 'upgrade_img = "kubeos:1"\nversion')
        + '[admin_container]\nimg_name = "admin:1"\nhostshell = "/usr/bin/env"\n'
        '[pxe_config]\nserver_ip = "10.0.0.1"\nrootfs_name = "kubeos.tar"\n'
        'disk = "/dev/vda"\nroute_ip = "10.0.0.1"\ndhcp = true\n'
    )
    done = run_doit(tmp_path, "plan", f"image={image}", "engine=none")
    assert done.returncode == 0, done.stdout
    names = sorted(path.stem for path in (tmp_path / "scripts-auto/plan").glob("[0-9]*"))
    assert last in [name.partition("-")[2] for name in names]
    assert f"# {image}: " in (tmp_path / "scripts-auto/plan/build.sh").read_text()


def test_mistakes_are_told_as_a_build_tells_them(tmp_path: Path):
    path = write_config(tmp_path)
    path.write_text(path.read_text().replace('"v1"', '""').replace("os-agent", "none"))
    told = [line for line in run_doit(tmp_path, "vm_img").stdout.splitlines() if "toml:" in line]
    done = run_doit(tmp_path, "plan", "out=other")
    assert done.returncode == 1
    assert len(told) == 2
    assert [line for line in done.stdout.splitlines() if "toml:" in line] == told
    assert not (tmp_path / "other").exists()
    for word, message in (
        (
            "image=iso",
            'image=: expected one of vm_img, pxe_img, upgrade_img, admin_container, found "iso"',
        ),
        ("image=pxe_img", "pxe_img needs a table [pxe_config]"),
        ("config=none.toml", "none.toml: no such configuration file"),
    ):
        done = run_doit(tmp_path, "plan", word)
        assert done.returncode == 1
        assert message in done.stdout, done.stdout


def test_warnings_are_given(tmp_path: Path):
    path = write_config(tmp_path)
    path.write_text(
        path.read_text().replace("legacy_bios = false", "legacy_bios = true")
        + '[pxe_config]\nserver_ip = "10.0.0.1"\nrootfs_name = "kubeos.tar"\n'
        'disk = "/dev/vda"\nroute_ip = "10.0.0.1"\ndhcp = true\n'
    )
    done = run_doit(tmp_path, "plan", "image=pxe_img")
    assert done.returncode == 0
    assert "warning: kbimg.toml:3: from_repo.legacy_bios: ignored by pxe_img" in done.stdout


def test_beside_a_build_and_cleaned_like_one(tmp_path: Path):
    write_config(tmp_path)
    private = tmp_path / "scripts-auto/.kbimg"
    private.mkdir(parents=True)
    with open(private / "lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        assert run_doit(tmp_path, "plan").returncode == 0
        assert run_doit(tmp_path, "plan", "store").returncode != 0
    assert "scripts-auto/plan" in run_doit(tmp_path, "clean", "-n").stdout
    assert run_doit(tmp_path, "clean").returncode == 0
    assert not (tmp_path / "scripts-auto").exists()
    (tmp_path / "scripts-auto/plan").mkdir(parents=True)
    assert run_doit(tmp_path, "clean").returncode == 0
    assert (tmp_path / "scripts-auto/plan").is_dir()
    done = run_doit(tmp_path, "plan")
    assert done.returncode == 1
    assert "is not a plan written by kbimg; choose another directory with out=DIR" in done.stdout
