"""One run of doit: what the user asked, the plan for it, and what stands in its way."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Any, Dict, Iterator, Optional, Tuple
from urllib.parse import unquote, urlsplit

import doit
from attrs import field, frozen
from doit.reporter import ConsoleReporter

from kbimg_tasks import graph, preflight, stamps
from kbimg_tasks.cleaning import Cleaning
from kbimg_tasks.config.errors import ConfigError
from kbimg_tasks.config.load import load
from kbimg_tasks.config.model import Config
from kbimg_tasks.config.repo_file import repositories
from kbimg_tasks.layout import DATA, Layout
from kbimg_tasks.plan import Plan, plan, unsupported
from kbimg_tasks.progress import Display, reporter
from kbimg_tasks.stage import Stage

IMAGES = {"vm_img": "the virtual machine's image: system.img, system.qcow2, kubeos.tar"}
DEFAULT_IMAGE = "vm_img"
VARIABLES = ("config", "out", "force")
WORKERS_AT_MOST = 4
# The root tree of the guide's package list, while its own size is not known yet.
USUAL_TREE_MIB = 600
# Room for all that is not as large as the root tree: logs, ESP, initramfs, package lists.
SMALL_THINGS_MIB = 256
MIB = 1 << 20
DEMO_INDEX = Path("/var/cache/kbimg/demo-rpms/repodata/repomd.xml")


@frozen
class Session:
    """What dodo.py shows to doit."""

    layout: Layout
    plan: Plan
    refusals: Tuple[str, ...]
    display: Display = field(factory=Display)
    cleaning: Cleaning = field(kw_only=True)

    @classmethod
    def from_doit(cls) -> Session:
        """The session of this command line; nothing is built or written here.

        A configuration that is missing or wrong is no error yet: `doit list` and `doit clean` work
        without one. It is what `ready` then refuses with.
        """
        started_in = Path(doit.get_initial_workdir() or os.getcwd())
        name = doit.get_var("config", "kbimg.toml")
        layout = Layout(out=started_in / doit.get_var("out", "scripts-auto"))
        wanted = tuple(image for image in IMAGES if image in sys.argv) or (DEFAULT_IMAGE,)
        force, refusals = _force()
        refusals += _unknown_variables()
        # `doit clean` works without a configuration, but not with words it does not understand.
        cleaning = Cleaning(layout, force, refusals)
        try:
            config = load(Path(name), started_in, images=wanted)
            refusals += unsupported(config)
            repomds = _local_indexes(config)
        except ConfigError as error:
            refusals += (str(error),)
        if refusals:
            config, repomds = load(DATA / "minimal.toml", DATA), ()
        epoch, complaint = _source_date_epoch()
        refusals += complaint
        return cls(layout, plan(config, repomds, epoch), refusals, cleaning=cleaning)

    @property
    def reporter(self) -> type[ConsoleReporter]:
        """What doit reports with."""
        return reporter(self.layout, self.display)

    @property
    def workers(self) -> int:
        """How many stages run at once, unless `doit -n` says."""
        return min(os.cpu_count() or 1, WORKERS_AT_MOST)

    @property
    def default_tasks(self) -> list[str]:
        """What a command without names is about: `doit clean` is about the whole directory."""
        return [graph.OUTPUT if "clean" in sys.argv[1:] else DEFAULT_IMAGE]

    def image_tasks(self) -> Iterator[Dict[str, Any]]:
        """The tasks that users name."""
        for image, doc in IMAGES.items():
            yield graph.group(image, doc, self.plan.images[image], self.cleaning)

    def stage_tasks(self) -> Iterator[Dict[str, Any]]:
        """What is about the whole directory, the check, and every stage."""
        yield graph.output(self.cleaning, self.plan.stages)
        yield graph.cleanup(self.cleaning)
        yield graph.ready(self.problems)
        yield graph.outside("demo_repo", "packages to try kbimg with, for config/demo", DEMO_INDEX,
                            "kbimg_tasks.demo_repo")
        yield from graph.tasks(self.plan.stages, self.layout, self.display,
                               makers={DEMO_INDEX: "demo_repo"}, cleaning=self.cleaning)

    def problems(self) -> Tuple[str, ...]:
        """What keeps the wanted images from being built; the configuration's mistakes first."""
        if self.refusals:
            return self.refusals
        unmade = [stage for stage in self.plan.stages if stage not in self.plan.on_request
                  and not stamps.is_made(self.layout, stage)]  # fmt: skip
        return tuple(preflight.problems(unmade, self.layout, self._needed_mib(unmade)))

    def _needed_mib(self, unmade: list[Stage]) -> int:
        lock = self.layout.stage("packages") / "packages.lock"
        tree_mib = USUAL_TREE_MIB
        if lock.exists():
            rows = lock.read_text(encoding="utf-8").splitlines()
            tree_mib = sum(int(row.split("\t")[2]) for row in rows) // MIB
        copies = sum(artifact.holds_tree for stage in unmade for artifact in stage.artifacts)
        return copies * tree_mib + SMALL_THINGS_MIB if unmade else 0


def _unknown_variables() -> Tuple[str, ...]:
    given = (word.partition("=")[0] for word in sys.argv[1:] if "=" in word and word[0] != "-")
    unknown = [name for name in given if name.isidentifier() and name not in VARIABLES]
    known = " and ".join(f"{name}=" for name in VARIABLES)
    return tuple(f"unknown option {name}= on the command line; known are {known}"
                 for name in unknown)  # fmt: skip


def _force() -> Tuple[bool, Tuple[str, ...]]:
    value = doit.get_var("force")
    if value not in (None, "1"):
        return False, (f'force=: expected 1, or nothing at all, found "{value}"',)
    return value == "1", ()


def _source_date_epoch() -> Tuple[Optional[str], Tuple[str, ...]]:
    epoch = os.environ.get("SOURCE_DATE_EPOCH")
    if epoch is not None and not epoch.isdigit():
        return None, (f'SOURCE_DATE_EPOCH: expected seconds since 1970, found "{epoch}"',)
    return epoch, ()


def _local_indexes(config: Config) -> Tuple[Path, ...]:
    """The repomd.xml of each repository on this machine: they tell when its packages changed."""
    if config.from_repo is None or not config.from_repo.repo_path.is_file():
        return ()
    urls = (url for repo in repositories(config.from_repo.repo_path) for url in repo.baseurl)
    return tuple(Path(unquote(urlsplit(url).path)) / "repodata/repomd.xml"
                 for url in urls if url.startswith("file:"))  # fmt: skip
