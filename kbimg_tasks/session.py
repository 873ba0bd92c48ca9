"""One run of doit: what the user asked, the plan for it, and what stands in its way."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Any, Dict, Iterable, Iterator, Optional, Tuple
from urllib.parse import unquote, urlsplit

import doit
from attrs import field, frozen
from doit.reporter import ConsoleReporter

from kbimg_tasks import graph, indexes, lock_file, preflight, room, stamps, store
from kbimg_tasks.config.errors import ConfigError
from kbimg_tasks.config.load import load
from kbimg_tasks.config.model import Config
from kbimg_tasks.config.repo_file import Repository, repositories
from kbimg_tasks.layout import DATA, STORE_GIB, Layout
from kbimg_tasks.plan import Plan, plan, unsupported
from kbimg_tasks.progress import Display, reporter
from kbimg_tasks.stage import Stage

IMAGES = {"vm_img": "the virtual machine's image: system.img, system.qcow2, kubeos.tar"}
WRITE_LOCK = "write_lock"
DEFAULT_IMAGE = "vm_img"
VARIABLES = ("config", "out", "cache", "store_gib", "offline", "lock")
WORKERS_AT_MOST = 4
# Room for all that is not as large as the root tree: logs, ESP, initramfs, package lists.
SMALL_THINGS_MIB = 256
CACHE = "/var/cache/kbimg"
DEMO_INDEX = Path("/var/cache/kbimg/demo-rpms/repodata/repomd.xml")


@frozen
class Session:
    """What dodo.py shows to doit."""

    layout: Layout
    plan: Plan
    refusals: Tuple[str, ...]
    repositories: Tuple[Repository, ...] = ()
    lock_path: Path = Path("kbimg.lock")
    is_locked: bool = False
    is_offline: bool = False
    display: Display = field(factory=Display)

    @classmethod
    def from_doit(cls) -> Session:
        """The session of this command line; nothing is built or written here.

        A configuration that is missing or wrong is no error yet: `doit list` and `doit clean` work
        without one. It is what `ready` then refuses with.
        """
        started_in = Path(doit.get_initial_workdir() or os.getcwd())
        name = doit.get_var("config", "kbimg.toml")
        limit, bad_limit = _store_limit()
        offline, bad_offline = _offline()
        epoch, bad_epoch = _source_date_epoch()
        lock_path = started_in / doit.get_var("lock", "kbimg.lock")
        obeyed = lock_path if doit.get_var("lock", "") and WRITE_LOCK not in sys.argv else None
        bad_lock = lock_file.problems(obeyed) if obeyed else ()
        layout = Layout(out=started_in / doit.get_var("out", "scripts-auto"),
                        cache=started_in / doit.get_var("cache", CACHE), store_gib=limit)
        wanted = tuple(image for image in IMAGES if image in sys.argv) or (DEFAULT_IMAGE,)
        refusals = (_unknown_variables() + bad_limit + bad_offline + bad_epoch + bad_lock)
        try:
            config = load(Path(name), started_in, images=wanted)
            refusals += unsupported(config)
            repos = _repositories(config)
        except ConfigError as error:
            refusals += (str(error),)
        if refusals:
            config, repos = load(DATA / "minimal.toml", DATA), ()
        planned = plan(config, local_indexes(repos), epoch, obeyed, offline)
        return cls(layout, planned, refusals, repos, lock_path, obeyed is not None, offline)

    @property
    def reporter(self) -> type[ConsoleReporter]:
        """What doit reports with."""
        return reporter(self.layout, self.display)

    @property
    def workers(self) -> int:
        """How many stages run at once, unless `doit -n` says."""
        return min(os.cpu_count() or 1, WORKERS_AT_MOST)

    def image_tasks(self) -> Iterator[Dict[str, Any]]:
        """The tasks that users name."""
        for image, doc in IMAGES.items():
            yield graph.group(image, doc, self.plan.images[image])

    def stage_tasks(self) -> Iterator[Dict[str, Any]]:
        """The check, and every stage."""
        yield graph.ready(self.problems)
        yield graph.outside("demo_repo", "packages to try kbimg with, for config/demo", DEMO_INDEX,
                            "kbimg_tasks.demo_repo")
        yield graph.note("store", "what all output directories share, with sizes",
                         self._show_store)
        yield graph.note("prune", "the store brought down to store_gib= GiB, oldest use first",
                         self._prune_store)
        yield {**graph.note(WRITE_LOCK, "the exact packages written to lock=FILE, for later builds "
                            "to obey", self._write_lock), "task_dep": [graph.READY, "packages"]}
        yield from graph.tasks(self.plan.stages, self.layout, self.display,
                               makers={DEMO_INDEX: "demo_repo"},
                               outdated={"packages": self._has_newer_packages})

    def _show_store(self) -> None:
        self.display.say(store.table(self.layout))

    def _prune_store(self) -> None:
        for entry in store.prune(self.layout):
            self.display.say(f"deleted {entry.folder}, {entry.allocated_bytes / store.GIB:.2f} GiB")

    def _write_lock(self) -> None:
        lock_file.write(self.lock_path, self.layout.stage("packages") / "packages.lock")
        self.display.say(f"wrote {self.lock_path}")

    def _has_newer_packages(self) -> bool:
        if self.is_offline or self.is_locked:
            return False
        listing = self.layout.stage("packages") / "indexes"
        return bool(indexes.changed(listing, self.repositories, self.display.say))

    def problems(self) -> Tuple[str, ...]:
        """What keeps the wanted images from being built; the configuration's mistakes first."""
        if self.refusals:
            return self.refusals
        unmade = [stage for stage in self.plan.stages if stage not in self.plan.on_request
                  and not stamps.is_made(self.layout, stage)]  # fmt: skip
        return tuple(preflight.problems(unmade, self.layout, self._needed_mib(unmade)))

    def _needed_mib(self, unmade: list[Stage]) -> int:
        copies = sum(artifact.holds_tree for stage in unmade for artifact in stage.artifacts)
        return copies * room.tree_mib(self.layout) + SMALL_THINGS_MIB if unmade else 0


def _unknown_variables() -> Tuple[str, ...]:
    given = (word.partition("=")[0] for word in sys.argv[1:] if "=" in word and word[0] != "-")
    unknown = [name for name in given if name.isidentifier() and name not in VARIABLES]
    known = ", ".join(f"{name}=" for name in VARIABLES)
    return tuple(f"unknown option {name}= on the command line; known are {known}"
                 for name in unknown)  # fmt: skip


def _offline() -> Tuple[bool, Tuple[str, ...]]:
    given = str(doit.get_var("offline", "0"))
    if given in ("0", "1"):
        return given == "1", ()
    return False, (f'offline=: expected 0 or 1, found "{given}"',)


def _store_limit() -> Tuple[float, Tuple[str, ...]]:
    limit = str(doit.get_var("store_gib", STORE_GIB))
    if limit.replace(".", "", 1).isdigit():
        return float(limit), ()
    return STORE_GIB, (f'store_gib=: expected a number of GiB, found "{limit}"',)


def _source_date_epoch() -> Tuple[Optional[str], Tuple[str, ...]]:
    epoch = os.environ.get("SOURCE_DATE_EPOCH")
    if epoch is not None and not epoch.isdigit():
        return None, (f'SOURCE_DATE_EPOCH: expected seconds since 1970, found "{epoch}"',)
    return epoch, ()


def _repositories(config: Config) -> Tuple[Repository, ...]:
    if config.from_repo is None or not config.from_repo.repo_path.is_file():
        return ()
    return repositories(config.from_repo.repo_path)


def local_indexes(repos: Iterable[Repository]) -> Tuple[Path, ...]:
    """The repomd.xml of each repository on this machine: they tell when its packages changed."""
    urls = (url for repo in repos for url in repo.baseurl)
    return tuple(Path(unquote(urlsplit(url).path)) / "repodata/repomd.xml"
                 for url in urls if url.startswith("file:"))  # fmt: skip
