"""Write down which kernel a finished root tree has, and how its initramfs is best compressed.

Usage: describe_kernel TREE --kernel-version FILE --compressor FILE

In a finished tree the kernel is /boot/vmlinuz, and its version is the name of its modules' folder.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from kbimg_tasks.tools.finish_install import compressor
from kbimg_tasks.tools.user_error import UserError


def main() -> int:
    """Write both files, or print one line about what the tree lacks."""
    parser = argparse.ArgumentParser(allow_abbrev=False)
    parser.add_argument("tree", type=Path)
    parser.add_argument("--kernel-version", type=Path, required=True)
    parser.add_argument("--compressor", type=Path, required=True)
    options = parser.parse_args()
    folders = sorted(path.parent for path in options.tree.glob("usr/lib/modules/*/modules.dep"))
    if len(folders) != 1:
        found = ", ".join(folder.name for folder in folders) or "none"
        print(
            f"describe_kernel: expected the modules of one kernel in /usr/lib/modules, found "
            f"{found}",
            file=sys.stderr,
        )
        return 1
    try:
        command = compressor(options.tree, folders[0].name)
    except UserError as error:
        print(f"describe_kernel: {error}", file=sys.stderr)
        return 1
    options.kernel_version.write_text(folders[0].name + "\n", encoding="utf-8")
    options.compressor.write_text(command + "\n", encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
