"""Mount a root tree in a private namespace and run a program on it, or in it.

Usage: sandboxed --root DIR [--layer DIR]... [--upper DIR --work DIR] [--bind FROM:TO]...
                 [--move FROM:TO]... [--tmpfs TO]... [--kernel] [--machine NAME] [--chroot]
                 -- PROGRAM [ARGUMENT]...

The layers, the lowest first, are merged on DIR by overlayfs, read-only or with changes going to
`--upper`. `--bind` shows a host's path at TO below the root, `--move` shows one path of the root at
another, `--kernel` adds /proc, /sys, a minimal /dev and empty /run and /tmp. `--machine` is the
architecture of the tree's programs, where any of them may run. With `--chroot` the program runs in
the tree, else on the host with the tree at DIR.

It must be the first process of its own mount and PID namespaces, as `unshare --mount --pid --fork`
makes them: this guarantees that no mount outlives it (user_namespaces(7), pid_namespaces(7)).
Otherwise it refuses to run.
"""

from __future__ import annotations

import argparse
import ctypes
import errno
import os
import socket
import sys
from collections.abc import Sequence
from typing import NoReturn

from kbimg_tasks.tools import emulation
from kbimg_tasks.tools.user_error import UserError

# <sys/mount.h>
MS_RDONLY, MS_NOSUID, MS_NODEV, MS_NOEXEC, MS_REMOUNT = 0x1, 0x2, 0x4, 0x8, 0x20
MS_BIND, MS_REC, MS_PRIVATE = 0x1000, 0x4000, 0x40000
DEVICES = ("null", "zero", "full", "random", "urandom", "tty")
LINKS = {"fd": "/proc/self/fd", "stdin": "fd/0", "stdout": "fd/1", "stderr": "fd/2"}

_libc = ctypes.CDLL(None, use_errno=True)


def mount(source: str, target: str, kind: str = "", flags: int = 0, data: str = "") -> None:
    """mount(2), with OSError naming the target when it fails."""
    arguments = (source.encode(), target.encode(), kind.encode(), flags, data.encode())
    if _libc.mount(*arguments) != 0:
        number = ctypes.get_errno()
        raise OSError(number, f"cannot mount {kind or source}: {os.strerror(number)}", target)


def merge(root: str, layers: Sequence[str], upper: str, work: str) -> None:
    """Mount the layers on `root`, writable into `upper` if there is one."""
    os.makedirs(root, exist_ok=True)
    if len(layers) == 1 and not upper:
        mount(layers[0], root, flags=MS_BIND)
        mount("", root, flags=MS_BIND | MS_REMOUNT | MS_RDONLY)
        return
    # Names through descriptors: a colon or comma in a path would need escaping in the options.
    held = [os.open(layer, os.O_PATH) for layer in reversed(layers)]
    options = "lowerdir=" + ":".join(f"/proc/self/fd/{number}" for number in held)
    if upper:
        os.makedirs(upper, exist_ok=True)
        os.makedirs(work, exist_ok=True)
        held += [os.open(upper, os.O_PATH), os.open(work, os.O_PATH)]
        options += f",upperdir=/proc/self/fd/{held[-2]},workdir=/proc/self/fd/{held[-1]}"
    # An opaque rename or a hard link broken by a copy up must not depend on the module's defaults.
    options += ",index=off,metacopy=off,redirect_dir=" + ("off" if upper else "nofollow")
    mount("overlay", root, "overlay", 0 if upper else MS_RDONLY, options)
    for number in held:
        os.close(number)


def add_kernel_trees(root: str) -> None:
    """Mount what scriptlets expect of a running system, without devices that could do harm."""
    for name in ("proc", "sys", "dev", "run", "tmp"):
        os.makedirs(os.path.join(root, name), exist_ok=True)
    plain = MS_NOSUID | MS_NODEV | MS_NOEXEC
    mount("proc", os.path.join(root, "proc"), "proc", plain)
    mount("/sys", os.path.join(root, "sys"), flags=MS_BIND | MS_REC)
    mount("", os.path.join(root, "sys"), flags=MS_BIND | MS_REMOUNT | MS_RDONLY)
    dev = os.path.join(root, "dev")
    mount("tmpfs", dev, "tmpfs", MS_NOSUID, "mode=755")
    for name in DEVICES:
        node = os.path.join(dev, name)
        os.close(os.open(node, os.O_CREAT, 0o666))
        mount(f"/dev/{name}", node, flags=MS_BIND)
    for name, target in LINKS.items():
        os.symlink(target, os.path.join(dev, name))
    os.mkdir(os.path.join(dev, "shm"), 0o1777)
    mount("tmpfs", os.path.join(root, "run"), "tmpfs", MS_NOSUID | MS_NODEV, "mode=755")
    mount("tmpfs", os.path.join(root, "tmp"), "tmpfs", MS_NOSUID | MS_NODEV, "mode=1777")


def bind(source: str, target: str) -> None:
    """Bind `source` to `target`, which is created if it is missing."""
    if os.path.isdir(source):
        os.makedirs(target, exist_ok=True)
    else:
        os.makedirs(os.path.dirname(target), exist_ok=True)
        os.close(os.open(target, os.O_CREAT, 0o644))
    mount(source, target, flags=MS_BIND | MS_REC)


def _pair(text: str) -> list[str]:
    source, colon, target = text.rpartition(":")
    if not colon:
        raise argparse.ArgumentTypeError(f"expected FROM:TO, found {text!r}")
    return [source, target]


def parse(argv: Sequence[str]) -> argparse.Namespace:
    """The parser of the command line."""
    parser = argparse.ArgumentParser(prog="sandboxed", allow_abbrev=False)
    parser.add_argument("--root", required=True)
    parser.add_argument("--layer", action="append", default=[])
    parser.add_argument("--upper", default="")
    parser.add_argument("--work", default="")
    parser.add_argument("--bind", action="append", default=[], type=_pair)
    parser.add_argument("--move", action="append", default=[], type=_pair)
    parser.add_argument("--tmpfs", action="append", default=[])
    parser.add_argument("--kernel", action="store_true")
    parser.add_argument("--machine", default="")
    parser.add_argument("--chroot", action="store_true")
    end = argv.index("--") if "--" in argv else len(argv)
    options = parser.parse_args(argv[:end])
    options.program = list(argv[end + 1 :])
    if not options.program:
        parser.error("expected -- PROGRAM")
    return options


def main(argv: Sequence[str]) -> NoReturn:
    """Mount, then become the program."""
    options = parse(argv)
    if os.getpid() != 1:
        print(
            "sandboxed: not the first process of a PID namespace; see its --help", file=sys.stderr
        )
        sys.exit(2)
    os.umask(0o022)
    mount("none", "/", flags=MS_REC | MS_PRIVATE)
    socket.sethostname("localhost")
    if options.layer:
        merge(options.root, options.layer, options.upper, options.work)

    def below(path: str) -> str:
        return os.path.join(options.root, path.lstrip("/"))

    if options.kernel:
        add_kernel_trees(options.root)
    for source, target in options.move:
        bind(below(source), below(target))
    for source, target in options.bind:
        bind(source, below(target))
    for target in options.tmpfs:
        os.makedirs(below(target), exist_ok=True)
        mount("tmpfs", below(target), "tmpfs", MS_NOSUID | MS_NODEV, "mode=1777")
    if options.machine:
        emulation.enable(options.machine)
    if options.chroot:
        os.chroot(options.root)
        os.chdir("/")
    try:
        os.execvp(options.program[0], options.program)
    except OSError as error:
        if error.errno != errno.ENOEXEC:
            raise
        # A script without #! is run by the shell, as a shell would do.
        os.execv("/bin/sh", ["/bin/sh", *options.program])


if __name__ == "__main__":
    try:
        main(sys.argv[1:])
    except UserError as error:
        print(f"sandboxed: {error}", file=sys.stderr)
        sys.exit(126)
    except OSError as error:
        print(f"sandboxed: {error.strerror}: {error.filename}", file=sys.stderr)
        sys.exit(126)
