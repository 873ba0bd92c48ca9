"""Let GRUB's menu start the root file systems of this disk.

Usage: name_slots MENU UUID_A UUID_B

os-agent counts on exactly two lines of the menu that load a kernel from a root file system, the
first for slot A, the second for slot B. What they name as root becomes the partitions with these
UUIDs. A menu that names them already is left as it is.
"""

from __future__ import annotations

import re
import sys
from pathlib import Path

KERNEL_LINE = re.compile(r"^(\s*linux.*\sroot=)(\S+)", re.MULTILINE)


def main(menu: str, *uuids: str) -> int:
    """Rewrite the menu, if it must be."""
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
