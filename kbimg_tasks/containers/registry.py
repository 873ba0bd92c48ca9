"""Pushing an image's archive to a registry, by skopeo: https://github.com/containers/skopeo."""

from __future__ import annotations

import ipaddress
import shutil
from pathlib import Path

from kbimg_tasks.containers import reference
from kbimg_tasks.host import process

CLIENT = "skopeo"


class NotPushed(Exception):
    """The registry did not take the image; the text is for the user."""


def push(archive: Path, image: str) -> None:
    """Push an archive under a name that has its registry in it, or raise NotPushed.

    Layers go as they are: skopeo compresses nothing anew when it reads the archive's OCI index.
    Credentials are those of `skopeo login`, `podman login` or `docker login`. As engines do, a
    registry on this machine is talked to without TLS.
    """
    if not shutil.which(CLIENT):
        raise NotPushed(
            f"pushing needs {CLIENT}: it is in the package of that name on Debian and openEuler"
        )
    plain = ["--dest-tls-verify=false"] if _is_loopback(reference.registry(image)) else []
    done = process.run(
        [CLIENT, "copy", "--quiet", *plain, f"oci-archive:{archive}", f"docker://{image}"]
    )
    if done.returncode != 0:
        raise NotPushed(f"{image}: {process.complaint(done)}")


def _is_loopback(registry: str) -> bool:
    name = registry.rpartition(":")[0] or registry
    if name == "localhost":
        return True
    try:
        return ipaddress.ip_address(name.strip("[]")).is_loopback
    except ValueError:
        return False
