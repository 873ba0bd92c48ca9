"""Names of container images."""

from __future__ import annotations


def tagged(name: str) -> str:
    """A name with a tag or digest; without either, the tag is `latest`."""
    return name if set(name.rpartition("/")[2]) & set(":@") else f"{name}:latest"
