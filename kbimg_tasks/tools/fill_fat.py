"""Fill a FAT file system image with a directory's content, in sorted order.

Usage: fill_fat IMAGE DIRECTORY

Runs mmd and mcopy of mtools once for each directory. `mcopy -s` alone would take the files in the
order in which the host's file system lists them, and two hosts would make different images.
"""

from __future__ import annotations

import os
import subprocess
import sys


def main(image: str, top: str) -> int:
    """Copy everything below `top`."""
    for folder, folders, files in os.walk(top):
        folders.sort()
        inside = "::/" if folder == top else "::/" + os.path.relpath(folder, top)
        if folder != top:
            subprocess.run(["mmd", "-i", image, inside], check=True)
        if files:
            paths = [os.path.join(folder, name) for name in sorted(files)]
            subprocess.run(["mcopy", "-m", "-i", image, *paths, inside], check=True)
    return 0


if __name__ == "__main__":
    try:
        sys.exit(main(*sys.argv[1:]))
    except (subprocess.CalledProcessError, OSError) as failure:
        sys.exit(f"fill_fat: {failure}")
