"""The environment variables of a build's programs; all others are removed, as they could change
images."""

from __future__ import annotations

from kbimg_tasks.containers import engines

PASSED_ON = (
    "PATH",
    "http_proxy",
    "https_proxy",
    "ftp_proxy",
    "no_proxy",
    "HTTP_PROXY",
    "HTTPS_PROXY",
    "NO_PROXY",
    *engines.ENVIRONMENT,
)
FIXED: dict[str, str] = {
    "LC_ALL": "C.UTF-8",
    "TZ": "UTC",
    "HOME": "/root",
    "PYTHONDONTWRITEBYTECODE": "1",
}
