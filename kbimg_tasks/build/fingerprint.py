"""The fingerprint of a stage: one digest of everything that its result depends on.

It covers the rendered steps, the user's files and kbimg's data files among the arguments (content,
modes, owners), the code of the tools that the steps run, and the identities of the artifacts that
the stage needs. The identity of a small file is its content, so a stage that produces the same file
again causes no further work. The identity of a large artifact is the fingerprint of its stage, so
files of many megabytes are never hashed.
"""

from __future__ import annotations

import ast
import hashlib
import hmac
import os
import stat
import threading
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Callable

from kbimg_tasks.host.installation import DATA, TOOLS
from kbimg_tasks.steps.args import Artifact, Base, Location, Program, Secret, Size, UserFile
from kbimg_tasks.steps.render import Symbolic, command_line
from kbimg_tasks.steps.stage import Stage
from kbimg_tasks.tools import checksum
from kbimg_tasks.tools.units import MIB

# Written by Python, and by pip during installation; its content varies.
COMPILED = "__pycache__"
# Of a larger file of the user, only size, inode and times are hashed: reading an upgrade image of a
# GiB would take seconds at every start.
READ_BYTES = 64 * MIB
_PARSING = threading.Lock()


def of(stage: Stage, identity: Callable[[Artifact], str], key: bytes) -> str:
    """The fingerprint of a stage, in hexadecimal.

    `identity` returns the identity of an artifact of another stage. `key` is mixed into the digest
    of secrets, so that passwords cannot be guessed from a fingerprint.
    """
    parts = list(_parts(stage, identity, key))
    return hashlib.sha256("\0".join(parts).encode("utf-8", "surrogateescape")).hexdigest()


def own_text(stage: Stage) -> Iterator[str]:
    """The artifacts, clock and steps of a stage as text, without the content of any file."""
    rendered = Symbolic(stage)
    yield from (repr(artifact) for artifact in stage.artifacts)
    yield rendered.text(stage.clock)
    yield from (command_line(step, rendered) for step in stage.steps)


def _parts(stage: Stage, identity: Callable[[Artifact], str], key: bytes) -> Iterator[str]:
    yield from own_text(stage)
    for arg in stage.args():
        if isinstance(arg, Secret):
            yield hmac.new(key, arg.text.encode(), hashlib.sha256).hexdigest()
        elif isinstance(arg, UserFile):
            yield tree(arg.path)
        elif isinstance(arg, Location) and arg.base is Base.DATA:
            yield tree(DATA / arg.name, COMPILED)
        elif isinstance(arg, Program) and arg.tool:
            yield code(TOOLS / f"{arg.tool}.py")
    for artifact in stage.needs():
        yield identity(artifact)


def of_artifact(path: Path, size: Size, made_from: str) -> str:
    """The identity of an artifact published as `path`, whose stage has the fingerprint
    `made_from`."""
    if size is not Size.SMALL:
        return f"{made_from}/{path.name}"
    return tree(path) if path.is_dir() else checksum.of_file(path)


def tree(path: Path, passed_over: str = "") -> str:
    """A digest of the content, modes, owners and links of a file or directory. Times are included
    only for files that are too large to read. Directories called `passed_over` are skipped."""
    digest = hashlib.sha256()
    for name, full in _walk(path, passed_over):
        try:
            status = os.lstat(full)
        except FileNotFoundError:
            return "absent"
        digest.update(
            f"{name}\0{status.st_mode:o}\0{status.st_uid}:{status.st_gid}\0".encode(
                "utf-8", "surrogateescape"
            )
        )
        if stat.S_ISREG(status.st_mode) and status.st_size > READ_BYTES:
            digest.update(
                f"{status.st_size} {status.st_ino} {status.st_mtime_ns} "
                f"{status.st_ctime_ns}\0".encode()
            )
        elif stat.S_ISREG(status.st_mode):
            with open(full, "rb") as stream:
                checksum.feed(digest, stream)
        elif stat.S_ISLNK(status.st_mode):
            digest.update(os.fsencode(os.readlink(full)))
    return digest.hexdigest()


def _walk(path: Path, passed_over: str) -> Iterator[tuple]:
    # If the user names a link, its target counts; inside a directory, the link itself counts.
    top = os.path.realpath(path)
    yield "", top
    for folder, folders, files in os.walk(top):
        folders[:] = sorted(name for name in folders if name != passed_over)
        for name in sorted(folders + files):
            full = os.path.join(folder, name)
            yield os.path.relpath(full, top), full


@cache
def code(path: Path) -> str:
    """A digest of the code of a Python file and of the modules of its own package that it imports.

    Comments and docstrings are not included.
    """
    digests = (_one_file(file) for file in sorted(with_imports(path)))
    return hashlib.sha256("\0".join(digests).encode()).hexdigest()


def _one_file(path: Path) -> str:
    module = _tree(path)
    for node in ast.walk(module):
        body = getattr(node, "body", None)
        if (
            isinstance(body, list)
            and body
            and isinstance(body[0], ast.Expr)
            and isinstance(body[0].value, ast.Constant)
            and isinstance(body[0].value.value, str)
        ):
            body[0].value.value = ""
    return ast.dump(module)


def _tree(path: Path) -> ast.Module:
    # Python 3.11 counts the depth of all threads together, and fails when two of them parse.
    with _PARSING:
        return ast.parse(path.read_text(encoding="utf-8"))


def with_imports(path: Path) -> set[Path]:
    """A Python file and all files of its own package that it imports, directly or indirectly."""
    found: set[Path] = set()
    pending = [path]
    while pending:
        file = pending.pop()
        if file not in found:
            found.add(file)
            pending += _imported(file)
    return found


def _imported(file: Path) -> Iterator[Path]:
    """The files of the modules of its own package that a file imports, and of their packages."""
    top = file.parent
    while (top / "__init__.py").exists():
        top = top.parent
    package = file.relative_to(top).parts[:-1]
    if not package:
        return
    for node in ast.walk(_tree(file)):
        wanted = []
        if isinstance(node, ast.Import):
            wanted = [tuple(alias.name.split(".")) for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            above = package[: len(package) - node.level + 1] if node.level else ()
            base = (*above, *(node.module.split(".") if node.module else ()))
            wanted = [(*base, alias.name) for alias in node.names]
        for parts in wanted:
            if parts[:1] == package[:1]:
                yield from _files(top, parts)


def _files(top: Path, parts: tuple[str, ...]) -> Iterator[Path]:
    for count in range(1, len(parts) + 1):
        place = top.joinpath(*parts[:count])
        for file in (place / "__init__.py", place.with_name(f"{place.name}.py")):
            if file.is_file():
                yield file
