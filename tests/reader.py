"""A reader of the documentation, who writes and types everything on a page, in order."""

from __future__ import annotations

import os
import shlex
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from building import DEMO, TOP
from pages import Block, Command
from terminal import Terminal

BOOT = ("kbimg", "boot")
END = "kbimg-reader-end"


def starts_a_node(block: Block) -> bool:
    """Whether the command boots a node, or is typed on the node."""
    return block.is_of_the_node or (
        block.is_typed and block.text.split()[: len(BOOT)] == list(BOOT)
    )


class Reader:
    """Root at a terminal, in an empty directory or in one with files."""

    def __init__(self, folder: Path, venv: Path = Path(sys.prefix)) -> None:
        self.folder = folder
        self._node: Terminal | None = None
        env = {**os.environ, "PATH": f"{venv / 'bin'}:{os.environ['PATH']}"}
        self._shell = subprocess.Popen(
            ["bash", "--norc", "--noprofile"],
            cwd=folder,
            env=env,
            text=True,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )

    def __enter__(self) -> Reader:
        return self

    def __exit__(self, *_: object) -> None:
        self._shell.kill()
        self._shell.communicate()
        if self._node:
            self._node.kill()

    def follow(self, blocks: Sequence[Block], *, boots: bool = True) -> None:
        """Run the blocks of a page; without `boots`, leave out the commands on a node."""
        for block in blocks:
            if starts_a_node(block) and not boots:
                continue
            if block.is_file:
                self._write(block)
            elif block.is_of_the_node:
                self._on_the_node(block)
            elif block.is_typed:
                self._leave_the_node()
                self._on_the_host(block)
        self._leave_the_node()

    def _write(self, block: Block) -> None:
        adds, path = block.title.startswith(">>"), self._here() / block.title.lstrip(">")
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("a" if adds else "w") as stream:
            stream.write(("\n" if adds else "") + block.text)

    def _on_the_host(self, block: Block) -> None:
        if block.language == "sh":
            if starts_a_node(block):
                self._start(block.text)
                return
            printed, status = self._type(block.text, stops=True)
            assert status == 0, f"{block}: exit status {status}\n{printed}"
            return
        for command in block.commands:
            printed, _ = self._type(command.text)
            assert command.agrees(printed), _difference(block, command, printed)

    def _on_the_node(self, block: Block) -> None:
        if self._node is None:
            self._start(" ".join(BOOT))
        assert self._node
        for command in block.commands:
            printed, status = self._node.result(command.text)
            if block.language == "sh":
                assert status == 0, f"{block}: {command.text}: exit status {status}\n{printed}"
            else:
                assert command.agrees(printed), _difference(block, command, printed)

    def _start(self, command: str) -> None:
        self._node = Terminal(self._here(), *shlex.split(command)[len(BOOT) :])
        self._node.login()

    def _leave_the_node(self) -> None:
        if self._node:
            self._node.leave()
            self._node = None

    def _type(self, text: str, *, stops: bool = False) -> tuple[str, int]:
        """The output of commands, and the exit status of the first that fails, or of the last."""
        assert self._shell.stdin and self._shell.stdout
        # Nothing may read the next block off the shell's own input.
        self._shell.stdin.write(
            f"set {'-e' if stops else '+e'}\n"
            f"{{\n{text.rstrip()}\n}} </dev/null\n"
            f"printf '\\n{END} %s\\n' $?\n"
        )
        self._shell.stdin.flush()
        lines = []
        for line in self._shell.stdout:
            if line.startswith(f"{END} "):
                return "".join(lines)[:-1], int(line.split()[1])
            lines.append(line)
        return "".join(lines), self._shell.wait()

    def _here(self) -> Path:
        return Path(self._type("pwd -P")[0].strip())


def _difference(block: Block, command: Command, printed: str) -> str:
    return (
        f"{block}: {command.text}\n--- the page says\n"
        + "\n".join(command.expected)
        + f"\n--- it printed\n{printed}"
    )


def checkout(place: Path) -> Path:
    """A copy of this repository with uncommitted changes, as after `git clone`. Its .venv is the
    running environment, so `.ci/setup` has nothing to do."""
    stamp = Path(sys.prefix) / "made-from"
    assert stamp.is_file() and stamp.read_bytes() == (TOP / "pyproject.toml").read_bytes(), (
        "the documentation is followed in a .venv that .ci/setup made"
    )
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=TOP,
        stdout=subprocess.PIPE,
        check=True,
    )
    for name in filter(None, listed.stdout.decode().split("\0")):
        if (TOP / name).is_file():
            (place / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(TOP / name, place / name)
    (place / ".venv").symlink_to(sys.prefix)
    return place


def demonstration(place: Path) -> Path:
    """The files that how-tos start with."""
    shutil.copytree(DEMO, place)
    return place
