"""Write a data file into a tree, with its @NAME@ marks filled in.

Usage: fill TEMPLATE TARGET [--mode OCTAL] [NAME=VALUE]...

A mark without a value, or a value without its mark, is an error: the template and its caller then
do not match.
"""

from __future__ import annotations

import argparse
import os
import re
import sys
from pathlib import Path

MARK = re.compile(r"@([A-Z][A-Z0-9_]*)@")


def main() -> int:
    """Fill one file."""
    parser = argparse.ArgumentParser(allow_abbrev=False)
    parser.add_argument("template", type=Path)
    parser.add_argument("target", type=Path)
    parser.add_argument("values", nargs="*", metavar="NAME=VALUE")
    parser.add_argument("--mode", type=lambda text: int(text, 8), default=0o644)
    options = parser.parse_args()
    values = dict(value.split("=", 1) for value in options.values)
    text = options.template.read_text(encoding="utf-8")
    differing = set(MARK.findall(text)) ^ set(values)
    if differing:
        print(
            f"fill: {options.template}: marks and values differ: {sorted(differing)}",
            file=sys.stderr,
        )
        return 1
    options.target.parent.mkdir(parents=True, exist_ok=True)
    # Write a new file: an existing one of a package can be a link or have another owner.
    options.target.unlink(missing_ok=True)
    options.target.write_text(MARK.sub(lambda mark: values[mark[1]], text), encoding="utf-8")
    os.chmod(options.target, options.mode)
    return 0


if __name__ == "__main__":
    sys.exit(main())
