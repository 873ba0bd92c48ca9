"""Makes all RPMs of the repository and its index, and replaces both at once."""

from __future__ import annotations

import ctypes
import fcntl
import hashlib
import os
import shutil
import tempfile
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Callable

from kbimg_tasks.demo_repo import deb as debian
from kbimg_tasks.demo_repo import programs
from kbimg_tasks.demo_repo.convert import (
    EPOCH,
    Conversion,
    convert,
    fingerprint_of_tool,
    shared_directories,
)
from kbimg_tasks.demo_repo.deb import Deb
from kbimg_tasks.demo_repo.definitions import DATA, STANDIN, Definition, RepositoryDefinition
from kbimg_tasks.demo_repo.dependencies import providers, requirements
from kbimg_tasks.demo_repo.spec import Rpm
from kbimg_tasks.demo_repo.versions import Version, rpm_version
from kbimg_tasks.tools.user_error import UserError

Say = Callable[[str], None]

RPM_ARCHITECTURES = {"amd64": "x86_64", "arm64": "aarch64", "all": "noarch"}
# Every package needs the first of these, so that rpm creates its links before any file. It needs
# the other one itself, for the groups of its directories.
FIRST = ("filesystem", "setup")
SAID_EVERY = 25
# The file of a repository that records what it was made from.
MADE_BY = ".made-by"
RENAME_EXCHANGE, AT_FDCWD = 2, -100  # renameat2(2), <linux/fs.h>


@contextmanager
def locked(folder: Path) -> Iterator[None]:
    """Lock the folder against a second run, and create it if it is missing."""
    folder.mkdir(parents=True, exist_ok=True)
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        yield
    except BlockingIOError:
        raise UserError(f"another run is using {folder}") from None
    finally:
        os.close(descriptor)


def header(
    definition: Definition, debs: Sequence[Deb], requires: tuple[str, ...], architecture: str
) -> Rpm:
    """The header of the RPM; `architecture` is Debian's name."""
    own = {"provides": definition.provides, "requires_first": definition.requires_first}
    needed = {*requires, *definition.requires} - {definition.name}
    if definition.name not in FIRST:
        needed.add(FIRST[0])
    if not debs:
        summary = STANDIN + definition.summary if definition.standin else definition.summary
        return Rpm(
            definition.name,
            Version(0, definition.version, "1"),
            "noarch",
            summary,
            definition.description or summary,
            requires=tuple(sorted(needed)),
            **own,
        )
    first = debs[0]
    only_data = all(deb.architecture == "all" for deb in debs)
    return Rpm(
        definition.name,
        rpm_version(first.version),
        RPM_ARCHITECTURES["all" if only_data else architecture],
        definition.summary or first.summary,
        f"{first.description}\n\nMade from Debian's {', '.join(deb.path.stem for deb in debs)}.",
        requires=tuple(sorted(needed)),
        **own,
    )


def plan(
    repository: RepositoryDefinition, debs: Iterable[Deb], architecture: str
) -> list[Conversion]:
    """All RPMs to make of these Debian packages and of own files."""
    by_name: dict[str, Deb] = {deb.name: deb for deb in debs}
    grouped = repository.group(sorted(by_name), architecture)
    rpm_of = {name: definition.name for definition, names in grouped for name in names}
    provider = providers(by_name.values())
    base = shared_directories([definition for definition, _ in grouped])
    conversions = []
    for definition, names in grouped:
        sources = tuple(by_name[name] for name in names)
        needed = requirements(sources, provider, rpm_of, repository.is_left_out)
        conversions.append(
            Conversion(
                header(definition, sources, needed, architecture),
                definition,
                sources,
                repository.drop,
                base,
            )
        )
    return conversions


def make_rpms(conversions: Sequence[Conversion], folder: Path, say: Say) -> list[Path]:
    """Make the RPM files in `folder`; existing ones are used as they are."""
    folder.mkdir(parents=True, exist_ok=True)
    tool = fingerprint_of_tool()
    keyed = {conversion.key(tool): conversion for conversion in conversions}
    missing = [key for key in keyed if not (folder / key).is_dir()]

    def make(key: str) -> str:
        with tempfile.TemporaryDirectory(prefix=".work-", dir=folder) as work:
            made = convert(keyed[key], Path(work) / "build")
            whole = Path(work) / "whole"
            whole.mkdir()
            made.rename(whole / made.name)
            os.utime(whole / made.name, (EPOCH, EPOCH))
            whole.rename(folder / key)
        return keyed[key].rpm.name

    for leftover in folder.glob(".work-*"):
        shutil.rmtree(leftover)
    # dpkg-deb and rpmbuild do nearly all of the work, so threads are enough. The largest package
    # comes first, and the others run meanwhile.
    missing.sort(key=lambda key: -sum(deb.path.stat().st_size for deb in keyed[key].debs))
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        running = [pool.submit(make, key) for key in missing]
        try:
            for number, done in enumerate(as_completed(running), 1):
                done.result()
                if number % SAID_EVERY == 0 or number == len(missing):
                    say(f"{number} of {len(missing)} RPMs made")
        except BaseException:
            for each in running:
                each.cancel()
            raise
    for outdated in folder.iterdir():
        if outdated.name not in keyed:
            shutil.rmtree(outdated)
    return sorted(path for key in keyed for path in (folder / key).glob("*.rpm"))


def read_all(paths: Iterable[Path]) -> list[Deb]:
    """The control information of many packages."""
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        return list(pool.map(debian.read, paths))


def link_or_copy(source: Path, target: Path) -> None:
    """Copy a file, as a hard link if the file system allows it."""
    try:
        os.link(source, target)
    except OSError:
        shutil.copy2(source, target)


def fingerprint() -> str:
    """A digest that changes when the definitions or this program change."""
    digest = hashlib.sha256(fingerprint_of_tool().encode())
    for path in sorted(path for path in DATA.rglob("*") if path.is_file()):
        digest.update(f"\0{path.relative_to(DATA)}\0{path.stat().st_mode:o}\0".encode())
        digest.update(path.read_bytes())
    return digest.hexdigest()


def is_current(outdir: Path) -> bool:
    """Whether the repository is complete and made from the current definitions. Newer packages of
    the distribution do not count: they are fetched only on request."""
    try:
        made_by = (outdir / MADE_BY).read_text(encoding="ascii")
    except OSError:
        return False
    return made_by == fingerprint() and (outdir / "repodata/repomd.xml").is_file()


def publish(rpms: Sequence[Path], outdir: Path) -> None:
    """Replace `outdir` by the RPMs with their index. If this is killed, `outdir` is as before."""
    prefix = f".{outdir.name}.part-"
    outdir.parent.mkdir(parents=True, exist_ok=True)
    for leftover in outdir.parent.glob(f"{prefix}*"):
        with suppress(UserError), locked(leftover):
            shutil.rmtree(leftover)
    with tempfile.TemporaryDirectory(prefix=prefix, dir=outdir.parent) as part, locked(Path(part)):
        folder = Path(part) / "repository"
        folder.mkdir()
        for rpm in rpms:
            link_or_copy(rpm, folder / rpm.name)
        (folder / MADE_BY).write_text(fingerprint(), encoding="ascii")
        programs.run(
            [
                "createrepo_c",
                "--quiet",
                "--no-database",
                "--groupfile",
                str(DATA / "comps.xml"),
                "--revision",
                str(EPOCH),
                "--set-timestamp-to-revision",
                str(folder),
            ]
        )
        if outdir.exists():
            exchange(folder, outdir)
        else:
            folder.rename(outdir)


def exchange(one: Path, other: Path) -> None:
    """Exchange two directories in one step, so that both names always exist."""
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.renameat2(AT_FDCWD, os.fsencode(one), AT_FDCWD, os.fsencode(other), RENAME_EXCHANGE):
        raise UserError(f"cannot replace {other}: {os.strerror(ctypes.get_errno())}")
