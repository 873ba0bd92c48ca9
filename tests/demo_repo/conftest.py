"""Makes Debian packages, and installs RPMs into a tree."""

from __future__ import annotations

import shutil
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Callable

import pytest

from kbimg_tasks.host.containment import CONTAINMENT

MakeDeb = Callable[..., Path]
Install = Callable[[Sequence[Path], Path], str]


@pytest.fixture
def make_deb(tmp_path: Path) -> MakeDeb:
    """`make_deb(name, {path: content}, **fields)`: a Debian package of text files."""

    def make(
        name: str,
        files: Mapping[str, str],
        conffiles: Sequence[str] = (),
        prepare: Callable[[Path], None] = lambda top: None,
        **fields: str,
    ) -> Path:
        top = tmp_path / f"deb-{name}"
        for path, content in files.items():
            (top / path.lstrip("/")).parent.mkdir(parents=True, exist_ok=True)
            (top / path.lstrip("/")).write_text(content, encoding="utf-8")
        control = {
            "Package": name,
            "Version": "1.0-1",
            "Architecture": "all",
            "Maintainer": "nobody <nobody@localhost>",
            "Description": f"tiny {name}\n Nothing to speak of.",
            **fields,
        }
        (top / "DEBIAN").mkdir(parents=True)
        (top / "DEBIAN/control").write_text(
            "".join(f"{key}: {value}\n" for key, value in control.items()), encoding="utf-8"
        )
        if conffiles:
            (top / "DEBIAN/conffiles").write_text("".join(f"{path}\n" for path in conffiles))
        prepare(top)
        target = tmp_path / f"{name}_{control['Version']}_{control['Architecture']}.deb"
        subprocess.run(
            ["dpkg-deb", "--root-owner-group", "--build", str(top), str(target)],
            check=True,
            capture_output=True,
        )
        shutil.rmtree(top)
        return target

    return make


@pytest.fixture
def install(tmp_path: Path) -> Install:
    """`install(rpms, root)`: the output of rpm while it installs them with their scriptlets."""

    def into(rpms: Sequence[Path], root: Path) -> str:
        root.mkdir()
        program = [
            "rpm",
            f"--root={root}",
            "--define",
            "_dbpath /var/lib/rpm",
            "--define",
            "_netsharedpath /dev:/proc:/sys",
            "--nosignature",
            "--install",
            *map(str, rpms),
        ]
        done = subprocess.run(
            [
                *CONTAINMENT,
                sys.executable,
                "-m",
                "kbimg_tasks.tools.sandboxed",
                f"--root={root}",
                "--kernel",
                "--",
                *program,
            ],
            capture_output=True,
            text=True,
            env={"PATH": "/usr/sbin:/usr/bin", "HOME": str(tmp_path)},
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout + done.stderr

    return into
