"""Running other programs, with errors of one line."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from kbimg_tasks.tools.user_error import UserError

# The Debian package of each program.
PACKAGE_OF = {
    "apt-get": "apt",
    "dpkg-deb": "dpkg",
    "rpmbuild": "rpm",
    "createrepo_c": "createrepo-c",
    "dnf": "dnf",
    "rpm": "rpm",
}
SHOWN_CHARACTERS = 600


def require(names: Iterable[str]) -> None:
    """Raises UserError unless all these programs are installed."""
    missing = [name for name in names if shutil.which(name) is None]
    if missing:
        packages = " ".join(sorted({PACKAGE_OF.get(name, name) for name in missing}))
        raise UserError(f"{', '.join(missing)} not found; on Debian: apt-get install {packages}")


def run(
    argv: Sequence[str], env: Mapping[str, str] | None = None, folder: Path | None = None
) -> str:
    """The output of a program. Raises UserError with the end of its error output."""
    try:
        done = subprocess.run(
            argv,
            env=env,
            cwd=folder,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            errors="replace",
        )
    except OSError as error:
        raise UserError(f"{argv[0]}: {error.strerror}") from error
    if done.returncode != 0:
        output = " ".join((done.stderr.strip() or done.stdout.strip()).split())
        raise UserError(
            f"{argv[0]} failed with status {done.returncode}: {output[-SHOWN_CHARACTERS:]}"
        )
    return done.stdout
