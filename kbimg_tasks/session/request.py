"""The arguments NAME=VALUE of the command line, and the environment variables that count."""

from __future__ import annotations

import os
from collections.abc import Collection, Iterable, Sequence
from ipaddress import IPv4Address
from pathlib import Path
from typing import Callable

from attrs import frozen

from kbimg_tasks.build import lock_file
from kbimg_tasks.config.rules import Wrong
from kbimg_tasks.config.values import new_image_name
from kbimg_tasks.containers import engines, reference
from kbimg_tasks.machine.architecture import ARCHITECTURES, Architecture, named, of_this_machine
from kbimg_tasks.plan.kinds import DEFAULT_IMAGE, KINDS
from kbimg_tasks.steps.layout import CACHE, STORE_GIB, Layout

WRITE_LOCK = "write_lock"
ENGINES = (engines.AUTO, *engines.ENGINES, engines.NONE)
SWITCH = ("0", "1")
# The largest width of the first column of the list.
COLUMN = 24


@frozen
class Argument:
    """An argument: its purpose, and its value, one of `choices` or what `value` describes."""

    meaning: str
    value: str = ""
    choices: Collection[str] = ()

    @property
    def shown(self) -> str:
        """The value as help texts show it."""
        return self.value or "|".join(self.choices)


FILE, FOLDER = "FILE", "DIR"
KNOWN = {
    "config": Argument("configuration file; default: kbimg.toml", FILE),
    "out": Argument("output directory; default: scripts-auto", FOLDER),
    "arch": Argument(
        "architecture of the image (also amd64, arm64); default: that of this machine",
        choices=tuple(ARCHITECTURES),
    ),
    "offline": Argument("1: use the downloaded packages, contact no repository", choices=SWITCH),
    "lock": Argument(
        "lock file of exact packages: write_lock writes it (default: kbimg.lock), builds use it",
        FILE,
    ),
    "engine": Argument("container engine to load from and save to; default: auto", choices=ENGINES),
    "push": Argument(
        "registry and name to push upgrade_img or admin_container to", "REGISTRY/NAME:TAG"
    ),
    "cache": Argument(f"folder of downloaded packages and the store; default: {CACHE}", FOLDER),
    "store_gib": Argument(f"size limit of the store in GiB; default: {STORE_GIB:g}", "GIB"),
    "image": Argument("image that plan writes scripts for; default: vm_img", choices=KINDS),
    "address": Argument("address of pxe_serve; default: pxe_config.server_ip", "IP[:PORT]"),
    "json": Argument("1: check prints one JSON document", choices=SWITCH),
    "force": Argument(
        "1: clean and cleanup end the processes that use their files", choices=SWITCH
    ),
}


def listed(names: Iterable[str] = KNOWN) -> str:
    """The arguments, one on each line; one with many choices takes two lines."""
    rows = [(f"{name}={KNOWN[name].shown}", KNOWN[name].meaning) for name in names]
    width = max(len(text) for text, _ in rows if len(text) <= COLUMN)
    return "\n".join(
        f"{text:<{width}}  {meaning}" if len(text) <= width else f"{text}\n{'':<{width}}  {meaning}"
        for text, meaning in rows
    )


@frozen
class Variables:
    """The arguments of a command. `problems` are the errors, one line each; an invalid argument has
    its default value."""

    started_in: Path
    config: Path
    layout: Layout
    architecture: Architecture
    lock: Path
    is_locked: bool
    is_offline: bool
    is_forced: bool
    epoch: str | None
    engine: str
    push: str
    address: str
    is_json: bool
    image: str
    problems: tuple[str, ...]

    @classmethod
    def of(cls, words: Sequence[str], started_in: Path) -> Variables:
        """The arguments of a command line. No file but a lock file is read. Relative paths start at
        `started_in`."""
        given = _Given(words)
        layout = Layout(
            out=started_in / given.text("out", "scripts-auto"),
            cache=started_in / given.text("cache", str(CACHE)),
            store_gib=given.checked("store_gib", STORE_GIB, _gib, "a number of GiB"),
        )
        architecture = given.checked(
            "arch", of_this_machine(), named, f"one of {', '.join(ARCHITECTURES)}"
        )
        is_offline = given.checked("offline", False, _switch, "0 or 1")
        is_forced = given.checked("force", False, _switch, "0 or 1")
        lock = started_in / given.text("lock", "kbimg.lock")
        # The task that writes the file must not use the old one.
        is_locked = bool(given.text("lock", "")) and WRITE_LOCK not in words
        if is_locked:
            given.problems += lock_file.problems(lock)
        engine = given.checked(
            "engine",
            engines.AUTO,
            {name: name for name in ENGINES}.__getitem__,
            f"one of {', '.join(ENGINES)}",
        )
        push = given.checked(
            "push",
            "",
            _pushed,
            "an image name with its registry, such as registry.example.org/kubeos-upgrade:v1",
        )
        address = given.checked(
            "address", "", _address, "an IPv4 address, with :PORT if that is not 80"
        )
        is_json = given.checked("json", False, _switch, "0 or 1")
        image = given.checked(
            "image",
            DEFAULT_IMAGE,
            {name: name for name in KINDS}.__getitem__,
            f"one of {', '.join(KINDS)}",
        )
        epoch = os.environ.get("SOURCE_DATE_EPOCH")
        if epoch is not None and not epoch.isdigit():
            given.problems.append(
                f'SOURCE_DATE_EPOCH: expected seconds since 1970, found "{epoch}"'
            )
            epoch = None
        config = Path(given.text("config", "kbimg.toml"))
        return cls(
            started_in,
            config,
            layout,
            architecture,
            lock,
            is_locked,
            is_offline,
            is_forced,
            epoch,
            engine,
            push,
            address,
            is_json,
            image,
            tuple(given.problems),
        )


class _Given:
    """The arguments as given."""

    def __init__(self, words: Sequence[str]) -> None:
        known = ", ".join(f"{name}=" for name in KNOWN)
        # As in doit: they can be anywhere, and the last one counts.
        pairs = (word.partition("=") for word in words if "=" in word and word[0] != "-")
        self._values = {name: value for name, _, value in pairs}
        self.problems: list[str] = [
            f"unknown argument {name}=; expected one of {known}"
            for name in self._values
            if name.isidentifier() and name not in KNOWN
        ]

    def text(self, name: str, default: str) -> str:
        """The value of an argument as given."""
        return self._values.get(name, default)

    def checked(self, name: str, default, read: Callable, expected: str):
        """The value of an argument, or its default after recording an error."""
        text = self._values.get(name)
        if text is None:
            return default
        try:
            return read(text)
        except (KeyError, ValueError):
            self.problems.append(f'{name}=: expected {expected}, found "{text}"')
            return default


def _switch(text: str) -> bool:
    meanings: dict[str, bool] = {"0": False, "1": True}
    return meanings[text]


def _pushed(text: str) -> str:
    try:
        name = new_image_name(text)
    except Wrong as wrong:
        raise ValueError(text) from wrong
    if not reference.registry(name):
        raise ValueError(text)
    return name


def _address(text: str) -> str:
    host, _, port = text.partition(":")
    IPv4Address(host)  # a ValueError unless it is one
    if port and not (port.isdecimal() and 0 < int(port) < 1 << 16):
        raise ValueError(text)
    return text


def _gib(text: str) -> float:
    if not text.replace(".", "", 1).isdigit():
        raise ValueError(text)
    return float(text)
