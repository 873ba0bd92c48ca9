"""References to container images, as in https://pkg.go.dev/github.com/distribution/reference."""

from __future__ import annotations

from kbimg_tasks.tools.image_name import tagged


def registry(image: str) -> str:
    """The registry in a reference, with its port; empty if there is none."""
    first, slash, _ = image.partition("/")
    is_host = slash and (set(first) & set(".:") or first == "localhost" or first != first.lower())
    return first if is_host else ""


def full(image: str) -> str:
    """A reference as containerd stores it: with Docker's registry and a tag, if none are given."""
    if not registry(image):
        image = f"docker.io/{image if '/' in image else f'library/{image}'}"
    return tagged(image)
