"""Make rpm's database readable on a read-only file system.

Usage: settle_rpmdb FOLDER

rpm's SQLite database is in write-ahead mode, in which a reader may have to create further files
(https://www.sqlite.org/wal.html#read_only_databases). With a rollback journal it is one file. A
database of another kind is not changed.
"""

from __future__ import annotations

import sqlite3
import sys
from pathlib import Path


def main(folder: str) -> int:
    """Change the mode, which is written in the database itself."""
    path = Path(folder) / "rpmdb.sqlite"
    if path.is_file():
        database = sqlite3.connect(path)
        (mode,) = database.execute("PRAGMA journal_mode = DELETE").fetchone()
        database.close()
        if mode != "delete":
            print(f"settle_rpmdb: {path}: the journal's mode stays {mode}", file=sys.stderr)
            return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
