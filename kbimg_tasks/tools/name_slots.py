"""Set the root file systems of this disk in grub.cfg.

Usage: name_slots MENU UUID_A UUID_B

os-agent expects exactly two lines in grub.cfg that load a kernel from a root file system, the first
for slot A, the second for slot B. Their root= is set to the partitions with these UUIDs. A file
that has them already is not changed.
"""

from __future__ import annotations

import re
import sys
from pathlib import Path

KERNEL_LINE = re.compile(r"^(\s*linux.*\sroot=)(\S+)", re.MULTILINE)


def main(menu: str, *uuids: str) -> int:
    """Rewrite grub.cfg if necessary."""
    path = Path(menu)
    text = path.read_text(encoding="utf-8")
    found = KERNEL_LINE.findall(text)
    if len(found) != len(uuids):
        print(
            f"name_slots: {path.name}: expected {len(uuids)} lines that load a kernel from a "
            f"root file system, one for each slot, found {len(found)}",
            file=sys.stderr,
        )
        return 1
    names = iter(uuids)
    renamed = KERNEL_LINE.sub(lambda line: f"{line[1]}PARTUUID={next(names)}", text)
    if renamed != text:
        path.write_text(renamed, encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
