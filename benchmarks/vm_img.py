"""Times a build of the demonstration against the bare installation of its packages.

    python benchmarks/vm_img.py [--rounds N]

In each round, side by side: `dnf --installroot` alone with the same packages from the same cache,
the whole of `doit vm_img` in a new directory with an empty store, the same again with nothing
changed, then after a change of one option for each group of stages, and a second configuration of
the same packages in another directory. The median of each is printed, and its ratio to what it is
measured against; the seconds say something of this machine only.
"""

from __future__ import annotations

import argparse
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Callable

from kbimg_tasks.config.load import load
from kbimg_tasks.host.containment import CONTAINMENT
from kbimg_tasks.machine.architecture import of_this_machine
from kbimg_tasks.stages.packages import RPM_DATABASE

TOP = Path(__file__).resolve().parent.parent
DEMO = TOP / "config/demo"
# One option for each group of stages, as the configuration has it and as it becomes.
CHANGES = (
    ("grub.passwd", '[grub]\npasswd = "first"', '[grub]\npasswd = "second"'),
    ("persist_mkdir", 'name = ["first"]', 'name = ["second"]'),
    ("one package more", "rpmlist = [", 'rpmlist = [ "chrony",'),
)
CACHE = Path("/var/cache/kbimg/dnf")


def dnf_alone(folder: Path) -> None:
    """The installation as legacy kbimg does it: dnf, with every scriptlet of the packages."""
    config = load(DEMO / "kbimg.toml", DEMO)
    assert config.from_repo is not None
    root, home = folder / "root", folder / "home"
    home.mkdir(parents=True)
    (home / ".rpmmacros").write_text(f"%{RPM_DATABASE}\n")
    subprocess.run(
        [
            *CONTAINMENT,
            sys.executable,
            "-m",
            "kbimg_tasks.tools.sandboxed",
            f"--root={root}",
            "--kernel",
            f"--bind={CACHE}:/var/cache/dnf",
            "--",
            # Without the host's plugins: "local" copies and indexes every package.
            "dnf",
            "--noplugins",
            f"--installroot={root}",
            f"--config={DEMO / 'demo.repo'}",
            "--setopt=reposdir=/nonexistent",
            "--setopt=cachedir=/var/cache/dnf",
            "--setopt=keepcache=True",
            "--setopt=install_weak_deps=False",
            "--assumeyes",
            "install",
            *config.from_repo.rpmlist,
            *of_this_machine().packages(),
        ],
        check=True,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        env={"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "HOME": str(home), "LC_ALL": "C.UTF-8"},
    )


def build(folder: Path, *image: str) -> None:
    """doit vm_img, or another image, as a user runs it."""
    done = subprocess.run(
        [
            sys.executable,
            "-m",
            "doit",
            "-f",
            TOP / "dodo.py",
            *(image or ("vm_img",)),
            f"cache={folder.parent / 'cache'}",
        ],
        cwd=folder,
        check=False,
        text=True,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
    )
    if done.returncode != 0:
        sys.exit(done.stdout)


def upgrade_image(folder: Path) -> None:
    """The upgrade image as a file; loading it is the engine's affair."""
    build(folder, "upgrade_img", "engine=none")


def prepare(folder: Path) -> None:
    """The demonstration's configuration with one file of the user's."""
    folder.mkdir()
    for name in ("kbimg.toml", "demo.repo", "os-agent"):
        shutil.copy(DEMO / name, folder)
    (folder / "file").write_text("first\n")
    with open(folder / "kbimg.toml", "a", encoding="utf-8") as stream:
        stream.write(
            '\n[[copy_files]]\nsrc = "file"\ndst = "/etc/file"\n'
            '[grub]\npasswd = "first"\n[persist_mkdir]\nname = ["first"]\n'
        )


def change(folder: Path, old: str, new: str) -> None:
    """Another value in the configuration."""
    path = folder / "kbimg.toml"
    text = path.read_text()
    assert old in text, old
    path.write_text(text.replace(old, new, 1))


def seconds(work: Callable[[Path], None], folder: Path) -> float:
    """How long it takes."""
    started = time.monotonic()
    work(folder)
    return time.monotonic() - started


def main() -> int:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args()
    times: dict[str, list[float]] = {}
    with tempfile.TemporaryDirectory(dir="/var/tmp", prefix="kbimg-benchmark-") as place:
        warm = Path(place) / "warm"
        prepare(warm)
        build(warm)  # packages downloaded, programs and packages in the page cache
        shutil.rmtree(warm)
        shutil.rmtree(Path(place) / "cache/store")
        for number in range(options.rounds):
            alone, folder = Path(place) / f"dnf-{number}", Path(place) / f"build-{number}"
            alone.mkdir()
            times.setdefault("dnf alone", []).append(seconds(dnf_alone, alone))
            shutil.rmtree(alone)
            prepare(folder)
            times.setdefault("whole vm_img", []).append(seconds(build, folder))
            times.setdefault("nothing changed", []).append(seconds(build, folder))
            times.setdefault("then upgrade_img", []).append(seconds(upgrade_image, folder))
            (folder / "file").write_text("second\n")
            times.setdefault("one file changed", []).append(seconds(build, folder))
            for row, old, new in CHANGES:
                change(folder, old, new)
                times.setdefault(row, []).append(seconds(build, folder))
            second = Path(place) / f"second-{number}"
            prepare(second)
            with open(second / "kbimg.toml", "a", encoding="utf-8") as stream:
                stream.write('[[users]]\nname = "second"\npasswd = "second"\n')
            times.setdefault("same packages", []).append(seconds(build, second))
            shutil.rmtree(folder)
            shutil.rmtree(second)
            shutil.rmtree(Path(place) / "cache/store")
    median = {name: statistics.median(values) for name, values in times.items()}
    for name, value in median.items():
        base = {"dnf alone": None, "whole vm_img": "dnf alone"}.get(name, "whole vm_img")
        ratio = f"{value / median[base]:6.3f} of {base}" if base else ""
        spread = f"{min(times[name]):.1f} to {max(times[name]):.1f}"
        print(f"{name:<18}{value:7.2f} s  ({spread})  {ratio}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
