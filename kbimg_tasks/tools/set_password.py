"""Put the password hash on standard input into a tree's /etc/shadow.

Usage: set_password SHADOW USER < HASH

The file keeps its mode and owner, and is never readable by others while it is written. The day of
the last change (shadow(5), third field) is that of SOURCE_DATE_EPOCH.
"""

from __future__ import annotations

import argparse
import os
import stat
import sys
from pathlib import Path

SECONDS_A_DAY = 86400


def main() -> int:
    """Change one entry."""
    parser = argparse.ArgumentParser(allow_abbrev=False)
    parser.add_argument("shadow", type=Path)
    parser.add_argument("user")
    options = parser.parse_args()
    secret = sys.stdin.readline().rstrip("\n")
    day = int(os.environ["SOURCE_DATE_EPOCH"]) // SECONDS_A_DAY
    status = options.shadow.stat()
    lines = options.shadow.read_text(encoding="utf-8").splitlines()
    for index, line in enumerate(lines):
        fields = line.split(":")
        if fields[0] == options.user:
            fields[1:3] = [secret, str(day)]
            lines[index] = ":".join(fields)
            break
    else:
        print(f"set_password: no entry for {options.user} in /etc/shadow", file=sys.stderr)
        return 1
    new = options.shadow.with_name(options.shadow.name + "+")
    with os.fdopen(os.open(new, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600), "w") as stream:
        stream.write("\n".join(lines) + "\n")
    os.chown(new, status.st_uid, status.st_gid)
    os.chmod(new, stat.S_IMODE(status.st_mode))
    os.replace(new, options.shadow)
    return 0


if __name__ == "__main__":
    sys.exit(main())
