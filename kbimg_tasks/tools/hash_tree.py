"""Make the hash tree of a root file system, and check it.

Usage: hash_tree IMAGE TREE --salt=HEX --uuid=UUID --at-most-mib=N > ROOT_HASH

Salt and UUID are arguments, so the same image has the same tree and root hash: veritysetup(8). The
tree is verified with the root hash and its size is checked: veritysetup's file grows as needed, but
the partition does not.
"""

from __future__ import annotations

import argparse
import re
import subprocess
import sys
from pathlib import Path

from kbimg_tasks.tools.units import MIB

ROOT_HASH = re.compile(r"^Root hash:\s*([0-9a-f]{64})$", re.MULTILINE)


def main() -> int:
    """Make, check, measure, and print the root hash."""
    parser = argparse.ArgumentParser(allow_abbrev=False)
    parser.add_argument("image", type=Path)
    parser.add_argument("tree", type=Path)
    parser.add_argument("--salt", required=True)
    parser.add_argument("--uuid", required=True)
    parser.add_argument("--at-most-mib", type=int, required=True)
    options = parser.parse_args()
    made = veritysetup(
        "format",
        options.image,
        options.tree,
        "--hash=sha256",
        f"--salt={options.salt}",
        f"--uuid={options.uuid}",
    )
    found = ROOT_HASH.search(made)
    if found is None:
        print(f"hash_tree: veritysetup names no root hash:\n{made}", file=sys.stderr)
        return 1
    veritysetup("verify", options.image, options.tree, found[1])
    size = options.tree.stat().st_size
    if size > options.at_most_mib * MIB:
        print(
            f"hash_tree: the hash tree needs {-(-size // MIB)} MiB, and its partition has "
            f"{options.at_most_mib} MiB",
            file=sys.stderr,
        )
        return 1
    print(found[1])
    return 0


def veritysetup(*words: object) -> str:
    """The output of veritysetup. Raises UserError with its error message."""
    done = subprocess.run(
        ["veritysetup", *map(str, words)],
        text=True,
        check=False,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
    )
    if done.returncode != 0:
        sys.exit(done.returncode)
    return done.stdout


if __name__ == "__main__":
    sys.exit(main())
