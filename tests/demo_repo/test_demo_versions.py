"""Debian's versions as RPM's."""

from __future__ import annotations

import re
import subprocess

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kbimg_tasks.demo_repo.versions import Version, rpm_version


@pytest.mark.parametrize(
    ("debian", "expected"),
    [
        ("1.2-3", Version(0, "1.2", "3")),
        ("2:1.02.185-2", Version(2, "1.02.185", "2")),
        ("1:9.2p1-2+deb12u10", Version(1, "9.2p1", "2+deb12u10")),
        ("20250419~deb12u2", Version(0, "20250419~deb12u2", "0")),
        ("4.4.3-P1-2", Version(0, "4.4.3_P1", "2")),
        ("1.6.20~ds1-1+b2", Version(0, "1.6.20~ds1", "1+b2")),
    ],
)
def test_known_versions(debian: str, expected: Version) -> None:
    assert rpm_version(debian) == expected


def test_the_epoch_is_shown_only_when_there_is_one() -> None:
    assert str(rpm_version("2:1-3")) == "2:1-3"
    assert str(rpm_version("1-3")) == "1-3"


@given(st.from_regex(r"\A([0-9]:)?[0-9][A-Za-z0-9.+~-]{0,12}\Z"))
def test_every_version_is_legal(debian: str) -> None:
    made = rpm_version(debian)
    assert re.fullmatch(r"[A-Za-z0-9._+~^]+", made.version)
    assert re.fullmatch(r"[A-Za-z0-9._+~^]*", made.release)


@pytest.mark.parametrize(
    ("older", "newer"),
    [("1.2-3", "1.2-3+deb12u1"), ("1.2~rc1-1", "1.2-1"), ("9-1", "1:1-1"), ("1.9-1", "1.10-1")],
)
def test_newer_stays_newer(older: str, newer: str) -> None:
    script = f'print(rpm.vercmp("{rpm_version(older)}", "{rpm_version(newer)}"))'
    done = subprocess.run(
        ["rpm", "--eval", f"%{{lua:{script}}}"], check=True, capture_output=True, text=True
    )
    assert done.stdout.strip() == "-1"
