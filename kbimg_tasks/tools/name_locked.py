"""Run a dnf command with the packages of a lock file as its last arguments.

Usage: name_locked LOCK CACHE -- COMMAND...

A package whose file is in the cache with the checksum of the lock is given as that file, so no
repository needs to have it. The others are given by name, epoch, version, release and architecture.
"""

from __future__ import annotations

import hashlib
import os
import re
import sys
from pathlib import Path

from kbimg_tasks.tools import checksum, lock_format


def main() -> int:
    """Replace this program by the completed command."""
    lock, cache, _, *command = sys.argv[1:]
    try:
        os.execvp(command[0], command + names(Path(lock), Path(cache)))
    except OSError as error:
        print(f"name_locked: {error.filename}: {error.strerror}", file=sys.stderr)
    return 127


def names(lock: Path, cache: Path) -> list[str]:
    """The lock's packages as arguments of dnf."""
    files: dict[str, list[Path]] = {}
    for path in sorted(cache.glob("*/packages/**/*.rpm")):
        files.setdefault(path.name, []).append(path)
    found = []
    for package in lock_format.read(lock):
        # The name of a package file does not have the epoch.
        candidates = files.get(re.sub(r"-\d+:", "-", package.nevra) + ".rpm", [])
        whole = (str(path) for path in candidates if _has(path, package))
        found.append(next(whole, package.nevra))
    return found


def _has(path: Path, package: lock_format.LockedPackage) -> bool:
    return (
        package.algorithm in hashlib.algorithms_available
        and checksum.of_file(path, package.algorithm) == package.digits
    )


if __name__ == "__main__":
    sys.exit(main())
