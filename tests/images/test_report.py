"""The report of a real build, compared with the output of other programs."""

from __future__ import annotations

import hashlib
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import html5lib
import pytest
from building import SMALL, TOP, made, run_doit, write_config

from kbimg_tasks.build import run_log
from kbimg_tasks.steps.layout import Layout

pytestmark = pytest.mark.image

XHTML = "{http://www.w3.org/1999/xhtml}"
DISK = "[disk_partition]\nroot = 1024\nimg_size = 5\n"
MIB = 1 << 20


def tables(out: Path) -> dict:
    """The rows of each section's table, by their first words."""
    document = html5lib.HTMLParser(strict=True).parse((out / "report.html").read_text())
    return {
        section.get("aria-labelledby"): [
            [" ".join("".join(cell.itertext()).split()) for cell in row]
            for body in section.iter(f"{XHTML}tbody")
            for row in body
        ]
        for section in document.iter(f"{XHTML}section")
    }


def mib(shown: str) -> float:
    return float(re.search(r"([\d,.]+) MiB", shown)[1].replace(",", ""))


def test_a_build_as_it_is_and_as_it_becomes(repository, tmp_path: Path):
    write_config(tmp_path, SMALL, DISK)
    done = run_doit(tmp_path, "vm_img", "report")
    assert done.returncode == 0, done.stdout
    out = tmp_path / "scripts-auto"
    shown = tables(out)

    states = {row[0].split()[0]: row[1] for row in shown["stages"]}
    assert set(states.values()) == {"made"}
    begun = {row[0] for row in shown["run"]}
    assert begun <= set(made(done.stdout))
    assert {"packages", "system_img", "kubeos_tar_sha256"} <= begun

    results = shown["results"]
    names = [row[0] for row in results if len(row) > 1]
    assert names[:3] == ["system.img", "system.qcow2", "kubeos.tar"]
    assert set(names[3:]) == {"packages.txt", "sbom.cdx.json", "build-tools.json"}
    assert mib(results[0][1]) == 5 * 1024
    for name, told in (("system.qcow2", results[3]), ("kubeos.tar", results[5])):
        assert told == [hashlib.sha256((out / name).read_bytes()).hexdigest()]

    _, boot, root_a, root_b, persist = [[]] + shown["disk"]
    told = subprocess.run(
        ["mdir", "-i", f"{out / 'system.img'}@@1M", "::"],
        check=True,
        capture_output=True,
        text=True,
    ).stdout
    free = int(re.search(r"([\d ]+) bytes free", told)[1].replace(" ", ""))
    assert mib(boot[4]) == pytest.approx(59 - free / MIB, abs=0.1)
    for row, start in ((root_a, 60), (root_b, 1084), (persist, 2108)):
        assert mib(row[2]) == start
        told = subprocess.run(
            ["dumpe2fs", "-h", f"{out / 'system.img'}?offset={start * MIB}"],
            check=True,
            capture_output=True,
            text=True,
        ).stdout
        count, free, size = (
            int(re.search(rf"^{name}: +(\d+)$", told, re.MULTILINE)[1])
            for name in ("Block count", "Free blocks", "Block size")
        )
        assert mib(row[4]) == pytest.approx((count - free) * size / MIB, abs=0.5)

    sizes = [mib(row[1]) for row in shown["packages"]]
    assert sizes == sorted(sizes, reverse=True)
    assert shown["packages"][0][0].startswith("kernel-")
    assert shown["tree"][0][0] == "/"
    assert [row[0] for row in shown["tree"]][1] == "/usr"

    # Nothing was made: the log of the last run stays.
    run_doit(tmp_path, "vm_img", "report")
    assert tables(out)["run"] == shown["run"]

    write_config(tmp_path, SMALL, f"{DISK}[persist_mkdir]\nname = ['more']\n")
    run_doit(tmp_path, "report")
    states = {row[0].split()[0]: row[1] for row in tables(out)["stages"]}
    assert {name for name, state in states.items() if state == "outdated"} == {
        "persist",
        "system_img",
        "system_qcow2",
        "system_qcow2_sha256",
    }


def test_a_build_that_was_killed(repository, tmp_path: Path):
    write_config(tmp_path, SMALL, DISK)
    layout = Layout(tmp_path / "scripts-auto")
    with subprocess.Popen(
        [sys.executable, "-m", "doit", "-f", str(TOP / "dodo.py"), "vm_img"],
        cwd=tmp_path,
        stdout=subprocess.DEVNULL,
    ) as process:
        deadline = time.monotonic() + 300
        while not any(event.stage == "kubeos_tar" for event in run_log.read(layout)):
            assert time.monotonic() < deadline and process.poll() is None
            time.sleep(0.01)
        process.send_signal(signal.SIGKILL)
    assert run_doit(tmp_path, "report").returncode == 0
    shown = tables(layout.out)
    assert shown["run"][0][:2] == ["packages", "0.0 s"]
    assert any(row[0] == "kubeos_tar interrupted, or at work" for row in shown["run"])
    states = {row[0].split()[0]: row[1] for row in shown["stages"]}
    assert (states["packages"], states["kubeos_tar"]) == ("made", "not made")
