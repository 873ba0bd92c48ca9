"""Make an RPM repository under openEuler's package names.

On Debian: from Debian's packages, which apt downloads. Elsewhere: from the repositories that the
host's dnf is configured with. A second run only makes what has changed.
"""

from __future__ import annotations

import argparse
import platform
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Callable

from kbimg_tasks.demo_repo import apt_packages, host_repo, programs, repository
from kbimg_tasks.demo_repo.definitions import read_repository
from kbimg_tasks.tools.user_error import UserError

OUTDIR = Path("/var/cache/kbimg/demo-rpms")
DEBIAN_ARCHITECTURES = {"x86_64": "amd64", "aarch64": "arm64"}


def parse(argv: Sequence[str] | None) -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(
        prog="python -m kbimg_tasks.demo_repo",
        description=__doc__,
        allow_abbrev=False,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        "outdir",
        nargs="?",
        type=Path,
        help="folder for the RPMs and their repodata (default: the one of "
        f"{OUTDIR} that RPM's name of the architecture has)",
    )
    parser.add_argument(
        "--arch",
        choices=sorted(DEBIAN_ARCHITECTURES.values()),
        default=DEBIAN_ARCHITECTURES.get(platform.machine(), "amd64"),
        help="Debian's name of the architecture (default: this machine's)",
    )
    parser.add_argument(
        "--cache",
        type=Path,
        metavar="DIR",
        help=f"downloads and finished RPMs (default: OUTDIR.cache, or {OUTDIR}.cache)",
    )
    parser.add_argument(
        "--sources",
        type=Path,
        metavar="FILE",
        help="list of Debian's archives (default: the host's)",
    )
    parser.add_argument(
        "--if-missing",
        action="store_true",
        help="do nothing if the repository exists and is up to date",
    )
    parser.add_argument(
        "--dnf-option",
        action="append",
        default=[],
        metavar="OPTION",
        help="take packages from where dnf with this option finds them, "
        "as --dnf-option=--setopt=reposdir=DIR",
    )
    return parser.parse_args(argv)


def from_debian(options: argparse.Namespace, say: Callable[[str], None]) -> list[Path]:
    """The RPM files, made from Debian's packages."""
    programs.require(["apt-get", "dpkg-deb", "rpmbuild", "createrepo_c"])
    described = read_repository()
    sources = options.sources.absolute() if options.sources else apt_packages.default_sources()
    cache = options.cache / options.arch
    apt = apt_packages.Apt(cache / "apt", cache / "debs", sources, options.arch)
    say("asking apt which Debian packages are needed")
    apt.update()
    paths = apt.fetch(described.debian_names(options.arch), say)
    for path in (cache / "debs").glob("*.deb"):
        if path not in paths:
            path.unlink()
    conversions = repository.plan(described, repository.read_all(paths), options.arch)
    say(f"{len(paths)} Debian packages become {len(conversions)} RPMs")
    return repository.make_rpms(conversions, cache / "rpms", say)


def main(argv: Sequence[str] | None = None) -> int:
    """Make the repository, or print an error."""
    options = parse(argv)
    top = (options.outdir or OUTDIR).absolute()
    options.outdir = top if options.outdir else top / repository.RPM_ARCHITECTURES[options.arch]
    options.cache = (options.cache or top.with_name(f"{top.name}.cache")).absolute()
    started = time.monotonic()

    def say(text: str) -> None:
        print(f"demo_repo: {text}", file=sys.stderr, flush=True)

    if options.if_missing and repository.is_current(options.outdir):
        return 0
    try:
        with repository.locked(options.cache / options.arch):
            is_debian = Path("/etc/debian_version").exists() and not options.dnf_option
            rpms = (from_debian if is_debian else host_repo.from_host)(options, say)
            repository.publish(rpms, options.outdir)
    except (UserError, OSError) as error:
        say(f"error: {error}")
        return 1
    except KeyboardInterrupt:
        say("interrupted; finished packages are kept")
        return 130
    size_mib = sum(rpm.stat().st_size for rpm in rpms) / 2**20
    say(
        f"{options.outdir}: {len(rpms)} RPMs, {size_mib:.0f} MiB, "
        f"in {time.monotonic() - started:.0f} s"
    )
    return 0


if __name__ == "__main__":
    sys.exit(main())
