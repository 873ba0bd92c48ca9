"""Container images' names, as https://pkg.go.dev/github.com/distribution/reference reads them."""

from __future__ import annotations


def registry(image: str) -> str:
    """The registry in a name, with its port; empty where none is named."""
    first, slash, _ = image.partition("/")
    is_host = slash and (set(first) & set(".:") or first == "localhost" or first != first.lower())
    return first if is_host else ""


def tagged(image: str) -> str:
    """A name with a tag or digest: `latest` where it has none."""
    return image if set(image.rpartition("/")[2]) & set(":@") else f"{image}:latest"


def full(image: str) -> str:
    """A name as containerd keeps it: with Docker's registry, and a tag, where none is named."""
    if not registry(image):
        image = f"docker.io/{image if '/' in image else f'library/{image}'}"
    return tagged(image)
