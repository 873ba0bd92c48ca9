"""Times a build of the demonstration against the bare installation of its packages.

    python benchmarks/vm_img.py [--rounds N]

In each round, side by side: `dnf --installroot` alone with the same packages from the same cache,
the whole of `doit vm_img` in a new directory, the same again with nothing changed, and once more
after one `copy_files` source changed. The median of each is printed, and its ratio to what it is
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
from typing import Callable, Dict, List

from kbimg_tasks.config.load import load
from kbimg_tasks.plan import PACKAGES_UEFI
from kbimg_tasks.sandbox import CONTAINMENT
from kbimg_tasks.stages.packages import RPM_DATABASE

TOP = Path(__file__).resolve().parent.parent
DEMO = TOP / "config/demo"
CACHE = Path("/var/cache/kbimg/dnf")


def dnf_alone(folder: Path) -> None:
    """The installation as the existing tool does it: dnf, with every scriptlet of the packages."""
    config = load(DEMO / "kbimg.toml", DEMO)
    assert config.from_repo is not None
    root, home = folder / "root", folder / "home"
    home.mkdir(parents=True)
    (home / ".rpmmacros").write_text(f"%{RPM_DATABASE}\n")
    subprocess.run(
        [*CONTAINMENT, sys.executable, "-m", "kbimg_tasks.tools.sandboxed", f"--root={root}",
         "--kernel", f"--bind={CACHE}:/var/cache/dnf", "--",
         "dnf", f"--installroot={root}", f"--config={DEMO / 'demo.repo'}",
         "--setopt=reposdir=/nonexistent", "--setopt=cachedir=/var/cache/dnf",
         "--setopt=keepcache=True", "--setopt=install_weak_deps=False", "--assumeyes", "install",
         *config.from_repo.rpmlist, *PACKAGES_UEFI],
        check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        env={"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "HOME": str(home), "LC_ALL": "C.UTF-8"})


def build(folder: Path) -> None:
    """doit vm_img, as a user runs it."""
    done = subprocess.run([sys.executable, "-m", "doit", "-f", TOP / "dodo.py", "vm_img"],
                          cwd=folder, check=False, text=True, stdin=subprocess.DEVNULL,
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    if done.returncode != 0:
        sys.exit(done.stdout)


def prepare(folder: Path) -> None:
    """The demonstration's configuration with one file of the user's."""
    folder.mkdir()
    for name in ("kbimg.toml", "demo.repo", "os-agent"):
        shutil.copy(DEMO / name, folder)
    (folder / "file").write_text("first\n")
    with open(folder / "kbimg.toml", "a", encoding="utf-8") as stream:
        stream.write('\n[[copy_files]]\nsrc = "file"\ndst = "/etc/file"\n')


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
    times: Dict[str, List[float]] = {}
    with tempfile.TemporaryDirectory(dir="/var/tmp", prefix="kbimg-benchmark-") as place:
        warm = Path(place) / "warm"
        prepare(warm)
        build(warm)  # packages downloaded, programs and packages in the page cache
        shutil.rmtree(warm)
        for number in range(options.rounds):
            alone, folder = Path(place) / f"dnf-{number}", Path(place) / f"build-{number}"
            alone.mkdir()
            times.setdefault("dnf alone", []).append(seconds(dnf_alone, alone))
            shutil.rmtree(alone)
            prepare(folder)
            times.setdefault("whole vm_img", []).append(seconds(build, folder))
            times.setdefault("nothing changed", []).append(seconds(build, folder))
            (folder / "file").write_text("second\n")
            times.setdefault("one file changed", []).append(seconds(build, folder))
            shutil.rmtree(folder)
    median = {name: statistics.median(values) for name, values in times.items()}
    against = {"whole vm_img": "dnf alone", "nothing changed": "whole vm_img",
               "one file changed": "whole vm_img"}
    for name, value in median.items():
        base = against.get(name)
        ratio = f"{value / median[base]:6.3f} of {base}" if base else ""
        spread = f"{min(times[name]):.1f} to {max(times[name]):.1f}"
        print(f"{name:<18}{value:7.2f} s  ({spread})  {ratio}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
