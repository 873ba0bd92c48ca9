"""Let rpm's database be read where it cannot be written.

Usage: settle_rpmdb FOLDER

rpm keeps its SQLite database in write-ahead mode, which needs files beside it that a reader may
have to make (https://www.sqlite.org/wal.html#read_only_databases). With a rollback journal, one
that nobody changes is one file. A folder with a database of another kind is left as it is.
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
