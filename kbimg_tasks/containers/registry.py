"""Pushes an image archive to a registry with skopeo: https://github.com/containers/skopeo."""

from __future__ import annotations

import ipaddress
import shutil
from pathlib import Path

from kbimg_tasks.containers import reference
from kbimg_tasks.host import process
from kbimg_tasks.tools.user_error import UserError

CLIENT = "skopeo"


def push(archive: Path, image: str) -> None:
    """Push an archive under a reference that includes the registry, or raise UserError.

    Layers are pushed unchanged: skopeo does not compress them again when it reads the archive's OCI
    index. Credentials are those of `skopeo login`, `podman login` or `docker login`. A registry on
    this host is accessed without TLS, as container engines do.
    """
    if not shutil.which(CLIENT):
        raise UserError(
            f"pushing needs {CLIENT}: it is in the package of that name on Debian and openEuler"
        )
    plain = ["--dest-tls-verify=false"] if _is_loopback(reference.registry(image)) else []
    done = process.run(
        [CLIENT, "copy", "--quiet", *plain, f"oci-archive:{archive}", f"docker://{image}"]
    )
    if done.returncode != 0:
        raise UserError(f"{image}: {process.error_line(done)}")


def _is_loopback(registry: str) -> bool:
    name = registry.rpartition(":")[0] or registry
    if name == "localhost":
        return True
    try:
        return ipaddress.ip_address(name.strip("[]")).is_loopback
    except ValueError:
        return False
