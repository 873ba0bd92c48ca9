"""The container engines of this host: finding them, looking up their images, loading an image."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

from attrs import frozen

from kbimg_tasks.containers import reference
from kbimg_tasks.host import process
from kbimg_tasks.tools.user_error import UserError

PATIENCE_SECONDS = 20.0
# The variables that set the daemons, stores and credentials of the commands.
ENVIRONMENT = (
    "DOCKER_HOST",
    "DOCKER_CONTEXT",
    "DOCKER_CONFIG",
    "DOCKER_TLS_VERIFY",
    "DOCKER_CERT_PATH",
    "CONTAINER_HOST",
    "CONTAINERS_STORAGE_CONF",
    "CONTAINERD_ADDRESS",
    "CONTAINERD_NAMESPACE",
    "XDG_RUNTIME_DIR",
)
AUTO, NONE = "auto", "none"


@frozen
class Engine:
    """The commands of a container engine; NAME stands for an image or a file.

    `answers` fails if the engine's daemon is not running. The output of `identity` contains the
    digest by which the engine identifies an image. `listing` is the command for users that shows
    it.
    """

    name: str
    answers: tuple[str, ...]
    identity: tuple[str, ...]
    load: tuple[str, ...]
    save: tuple[str, ...]
    listing: tuple[str, ...]
    takes_full_names: bool = False

    def known(self, image: str) -> str:
        """The name of an image in the form that this engine expects."""
        return reference.full(image) if self.takes_full_names else image

    def image_id(self, image: str) -> str | None:
        """The digest by which the engine identifies an image, with its algorithm; None if it does
        not have the image."""
        asked = _ask(self.name, *_filled(self.identity, self.known(image)))
        if asked is None or asked.returncode != 0:
            return None
        digest = next(
            (
                word
                for line in asked.stdout.splitlines()
                for word in line.split()
                if _is_digest(word)
            ),
            "",
        )
        if not digest:
            return None
        return digest if ":" in digest else f"sha256:{digest}"

    def take(self, archive: Path) -> None:
        """Load an archive, or raise UserError."""
        argv = (self.name, *_filled(self.load, str(archive)))
        done = process.run(argv)
        if done.returncode != 0:
            raise UserError(f"{' '.join(argv)}: {process.error_line(done)}")

    def saving(self, image: str) -> tuple[str, ...]:
        """The command that writes an image to its standard output."""
        return (self.name, *_filled(self.save, self.known(image)))


ENGINES: dict[str, Engine] = {
    engine.name: engine
    for engine in (
        Engine(
            "docker",
            ("version", "--format", "{{.Server.Version}}"),
            ("image", "inspect", "--format", "{{.Id}}", "NAME"),
            ("load", "--quiet", "--input", "NAME"),
            ("save", "NAME"),
            ("images",),
        ),
        Engine(
            "podman",
            ("version",),
            ("image", "inspect", "--format", "{{.Id}}", "NAME"),
            ("load", "--quiet", "--input", "NAME"),
            ("save", "NAME"),
            ("images",),
        ),
        Engine(
            "nerdctl",
            ("info",),
            ("image", "inspect", "--format", "{{.Id}}", "NAME"),
            ("load", "--quiet", "--input", "NAME"),
            ("save", "NAME"),
            ("images",),
        ),
        # Without a daemon, ctr would wait for ten seconds.
        Engine(
            "ctr",
            ("--connect-timeout", "1s", "version"),
            ("images", "list", "name==NAME"),
            ("images", "import", "NAME"),
            ("images", "export", "-", "NAME"),
            ("images", "list"),
            takes_full_names=True,
        ),
    )
}

# The engines that build on a base image, with the same options.
BUILDERS = ("docker", "podman")


def usable(asked: str = AUTO) -> Iterator[Engine]:
    """The engines that respond, in order of preference; with `asked`, only that one."""
    for engine in ENGINES.values():
        if asked in (AUTO, engine.name) and shutil.which(engine.name):
            answer = _ask(engine.name, *engine.answers)
            if answer is not None and answer.returncode == 0:
                yield engine


def holder(image: str, asked: str = AUTO) -> tuple[Engine, str] | None:
    """The first engine that has an image, and the digest by which it identifies the image."""
    for engine in usable(asked):
        found = engine.image_id(image)
        if found:
            return engine, found
    return None


def why_none(asked: str) -> str:
    """The reason why there is no engine to use, for messages."""
    if asked == NONE:
        return "engine=none disables container engines"
    if asked != AUTO:
        return (
            f"{asked} does not answer: is it running?"
            if shutil.which(asked)
            else f"there is no program {asked}"
        )
    there = [name for name in ENGINES if shutil.which(name)]
    return (
        f"no container engine answers (found {', '.join(there)})"
        if there
        else f"there is no container engine here ({', '.join(ENGINES)})"
    )


def _ask(*argv: str) -> process.Ended[str] | None:
    try:
        return process.run(argv, PATIENCE_SECONDS)
    except subprocess.TimeoutExpired:
        return None


def _filled(words: tuple[str, ...], name: str) -> tuple[str, ...]:
    return tuple(word.replace("NAME", name) for word in words)


def _is_digest(word: str) -> bool:
    number = word.removeprefix("sha256:")
    return len(number) == 64 and set(number) <= set("0123456789abcdef")
