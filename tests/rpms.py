"""Makes tiny RPMs."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Mapping
from pathlib import Path

BUILD_TIME = 1700000000


def make_rpm(
    folder: Path,
    name: str,
    version: str = "1.0",
    release: str = "1",
    *,
    files: Mapping[str, str] = {},
    epoch: int = 0,
    vendor: str = "",
    licence: str = "MIT",
) -> Path:
    """Build a package of text files in `folder`. Returns the RPM file."""
    epoch_line = f"Epoch: {epoch}\n" if epoch else ""
    vendor_line = f"Vendor: {vendor}\n" if vendor else ""
    installs = "".join(
        f"install -D -m 644 {folder / name}.{number} %{{buildroot}}{path}\n"
        for number, path in enumerate(files)
    )
    for number, content in enumerate(files.values()):
        (folder / f"{name}.{number}").write_text(content)
    spec = folder / f"{name}.spec"
    spec.write_text(
        f"Name: {name}\nVersion: {version}\nRelease: {release}\nSummary: tiny {name}\n"
        f"License: {licence}\nBuildArch: noarch\n{epoch_line}{vendor_line}"
        f"%description\nNothing to speak of.\n%install\n{installs}\n%files\n"
        + "".join(f"{path}\n" for path in files)
    )
    subprocess.run(
        [
            "rpmbuild",
            "-bb",
            "--quiet",
            "--define",
            f"_topdir {folder}/top",
            "--define",
            f"_rpmdir {folder}",
            "--define",
            "use_source_date_epoch_as_buildtime 1",
            "--define",
            "_buildhost localhost",
            str(spec),
        ],
        check=True,
        capture_output=True,
        env={**os.environ, "SOURCE_DATE_EPOCH": str(BUILD_TIME), "HOME": str(folder)},
    )
    return folder / f"noarch/{name}-{version}-{release}.noarch.rpm"


def make_database(folder: Path, *rpms: Path) -> Path:
    """Install these packages into a tree. Returns the folder of its rpm database."""
    subprocess.run(
        [
            "rpm",
            "--root",
            str(folder),
            "--dbpath",
            "/var/lib/rpm",
            "--justdb",
            "--nosignature",
            "--nodeps",
            "--install",
            *map(str, rpms),
        ],
        check=True,
        env={**os.environ, "HOME": str(folder)},
    )
    return folder / "var/lib/rpm"
