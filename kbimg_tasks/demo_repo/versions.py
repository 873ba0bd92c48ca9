"""Converts Debian's versions to RPM's."""

from __future__ import annotations

import re

from attrs import frozen

# Characters that RPM forbids in a version or release, above all the hyphen (rpm-version(7)).
ILLEGAL = re.compile(r"[^A-Za-z0-9._+~^]")


@frozen
class Version:
    """Epoch, version and release of an RPM; epoch 0 is the same as none."""

    epoch: int
    version: str
    release: str

    def __str__(self) -> str:
        epoch = f"{self.epoch}:" if self.epoch else ""
        return f"{epoch}{self.version}-{self.release}"


def rpm_version(debian: str) -> Version:
    """`[epoch:]upstream[-revision]` (deb-version(7)) as epoch, version and release.

    A native package, which has no revision, gets release 0, as deb-version(7) compares it.
    """
    epoch, colon, rest = debian.partition(":")
    if not colon:
        epoch, rest = "0", debian
    upstream, hyphen, revision = rest.rpartition("-")
    if not hyphen:
        upstream, revision = rest, "0"
    return Version(int(epoch), ILLEGAL.sub("_", upstream), ILLEGAL.sub("_", revision))
