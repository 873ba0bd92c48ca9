"""Print a file's SHA-256 checksum as sha256sum(1) does, with the file's name but not its folder.

Usage: write_checksum FILE
"""

from __future__ import annotations

import os
import sys

from kbimg_tasks.tools import checksum


def main(path: str) -> int:
    """Print one line."""
    print(f"{checksum.of_file(path)}  {os.path.basename(path)}")
    return 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
