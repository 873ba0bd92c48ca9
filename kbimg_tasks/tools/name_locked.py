"""Run a dnf command with the packages of a lock file as its last arguments.

Usage: name_locked LOCK CACHE -- COMMAND...

A package whose file is in the cache with the sum that the lock states is named by that file, so no
repository need have it any more; the others are named exactly: name, epoch, version, release and
architecture.
"""

from __future__ import annotations

import hashlib
import os
import re
import sys
from pathlib import Path


def main() -> int:
    """Replace this program by the completed command."""
    lock, cache, _, *command = sys.argv[1:]
    try:
        os.execvp(command[0], command + names(Path(lock), Path(cache)))
    except OSError as error:
        print(f"name_locked: {error.filename}: {error.strerror}", file=sys.stderr)
    return 127


def names(lock: Path, cache: Path) -> list[str]:
    """The lock's packages as dnf takes them."""
    files: dict[str, list[Path]] = {}
    for path in sorted(cache.glob("*/packages/**/*.rpm")):
        files.setdefault(path.name, []).append(path)
    found = []
    for line in lock.read_text(encoding="utf-8").splitlines():
        if line.startswith("#"):
            continue
        name, checksum = line.split("\t")[:2]
        # The epoch is no part of a package file's name.
        candidates = files.get(re.sub(r"-\d+:", "-", name) + ".rpm", [])
        whole = (str(path) for path in candidates if _has(path, checksum))
        found.append(next(whole, name))
    return found


def _has(path: Path, checksum: str) -> bool:
    kind, _, digest = checksum.partition(":")
    if kind not in hashlib.algorithms_available:
        return False
    found = hashlib.new(kind)
    with open(path, "rb") as stream:
        while block := stream.read(1 << 20):
            found.update(block)
    return found.hexdigest() == digest


if __name__ == "__main__":
    sys.exit(main())
