"""Print a file's SHA-256 sum as sha256sum(1) does, with the file's name but not its folder.

Usage: sum_file FILE
"""

from __future__ import annotations

import hashlib
import os
import sys


def main(path: str) -> int:
    """Print one line."""
    digest = hashlib.sha256()
    with open(path, "rb") as stream:
        while block := stream.read(1 << 20):
            digest.update(block)
    print(f"{digest.hexdigest()}  {os.path.basename(path)}")
    return 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
