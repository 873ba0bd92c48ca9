"""Serves what a machine needs to install itself: kernel, initramfs, root tree and boot scripts.

Only these files are served, by GET and HEAD, with range requests, so that a download can be resumed
(RFC 9110, section 14). werkzeug is imported late, to keep builds quick to start.
"""

from __future__ import annotations

import socket
from collections.abc import Mapping
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING, Any, Callable, Union

from kbimg_tasks.machine.architecture import Architecture, consoles

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIApplication
    from werkzeug.serving import BaseWSGIServer

IDLE_SECONDS = 60
METHODS = ("GET", "HEAD")
# iPXE for UEFI that uses the firmware's own driver of the adapter: of the packages ipxe (Debian,
# x86-64) and ipxe-bootimgs (openEuler).
LOADERS = {
    "x86_64": (Path("/usr/lib/ipxe/snponly.efi"), Path("/usr/share/ipxe/ipxe-snponly-x86_64.efi")),
    "aarch64": (
        Path("/usr/share/ipxe/arm64-efi/snponly.efi"),
        Path("/usr/lib/ipxe/arm64-efi/snponly.efi"),
    ),
}
# The client architecture that firmware reports, as dnsmasq(8) names it at --pxe-service.
CLIENTS = {"x86_64": "x86-64_EFI", "aarch64": "ARM64_EFI"}
Content = Union[Path, bytes]


def kernel_arguments(architecture: Architecture) -> str:
    """The kernel's command line of the installer, with consoles on the screen and a serial line."""
    return consoles(architecture.serial)


def ipxe_script(address: str, architecture: Architecture) -> str:
    """The iPXE script: https://ipxe.org/scripting."""
    arguments = kernel_arguments(architecture)
    return (
        f"#!ipxe\nkernel http://{address}/vmlinuz initrd=initramfs.img {arguments}\n"
        f"initrd http://{address}/initramfs.img\nboot\n"
    )


def grub_cfg(address: str, architecture: Architecture) -> str:
    """grub.cfg for a network boot."""
    place = f"(http,{address})"
    return (
        'set timeout=5\nmenuentry "Install KubeOS" {\n'
        f"    linux {place}/vmlinuz {kernel_arguments(architecture)}\n"
        f"    initrd {place}/initramfs.img\n}}\n"
    )


def dnsmasq(address: str, architecture: Architecture, loader: Path) -> str:
    """A configuration of dnsmasq(8) as TFTP server and DHCP proxy; addresses come from the existing
    DHCP server. Firmware gets iPXE, and iPXE gets its script."""
    host, client = address.partition(":")[0], CLIENTS[architecture.name]
    return (
        f"# dnsmasq --conf-file=THIS --no-daemon\nport=0\ndhcp-range={host},proxy\n"
        f"enable-tftp\ntftp-root={loader.parent}\n"
        "dhcp-match=set:ipxe,175\n"
        f'pxe-service=tag:!ipxe,{client},"iPXE",{loader.name}\n'
        f'pxe-service=tag:ipxe,{client},"KubeOS",http://{address}/boot.ipxe\n'
    )


def loader(architecture: Architecture) -> Path:
    """The iPXE binary of this host, or where it would be."""
    places = LOADERS[architecture.name]
    return next((path for path in places if path.exists()), places[0])


def application(files: Mapping[str, Content]) -> WSGIApplication:
    """The WSGI application that serves the files by their paths."""
    from werkzeug.exceptions import MethodNotAllowed, NotFound
    from werkzeug.utils import send_file
    from werkzeug.wrappers import Request, Response

    @Request.application
    def answer(request: Request) -> Response:
        found = files.get(request.path)
        if found is None or (isinstance(found, Path) and not found.exists()):
            raise NotFound
        if request.method not in METHODS:
            raise MethodNotAllowed(METHODS)
        return send_file(
            BytesIO(found) if isinstance(found, bytes) else found,
            request.environ,
            mimetype="application/octet-stream",
            conditional=True,
        )

    return answer


def server(
    listener: socket.socket, answer: WSGIApplication, say: Callable[[str], None]
) -> BaseWSGIServer:
    """A server on a socket, which prints each request."""
    from werkzeug.serving import WSGIRequestHandler, make_server

    class Handler(WSGIRequestHandler):
        timeout = IDLE_SECONDS

        def log_request(self, code: int | str = "-", size: int | str = "-") -> None:
            # With repr(): a client must not send control sequences to the terminal.
            say(f"      {self.address_string()} {self.requestline!r} {int(code)}")

        def log(self, type: str, message: str, *args: Any) -> None:
            say(f"      {self.address_string()} {message % args}")

    host, port = listener.getsockname()
    return make_server(
        host, port, answer, threaded=True, request_handler=Handler, fd=listener.fileno()
    )


def files_of(
    out: Path, rootfs_name: str, address: str, architecture: Architecture
) -> dict[str, Content]:
    """The files of an output directory that are served, by their URL paths."""
    return {
        "/vmlinuz": out / "vmlinuz",
        "/initramfs.img": out / "initramfs.img",
        f"/{rootfs_name}": out / "kubeos.tar",
        f"/{rootfs_name}.sha256": out / "kubeos.tar.sha256",
        "/boot.ipxe": ipxe_script(address, architecture).encode(),
        "/grub.cfg": grub_cfg(address, architecture).encode(),
    }


def serve(
    out: Path,
    rootfs_name: str,
    address: str,
    architecture: Architecture,
    say: Callable[[str], None],
) -> None:
    """Serve until Ctrl-C, which ends doit itself. Raises OSError where it cannot listen."""
    host, _, port = address.partition(":")
    files = files_of(out, rootfs_name, address, architecture)
    with (
        socket.create_server((host, int(port or 80))) as listener,
        server(listener, application(files), say) as running,
    ):
        say(
            f"      serving on http://{address}/: {' '.join(sorted(files))}\n"
            f"      GRUB, over the network: configfile (http,{address})/grub.cfg\n"
            f"      iPXE: chain http://{address}/boot.ipxe\n"
            "      TFTP, next to an existing DHCP server, by dnsmasq with:\n\n"
            f"{dnsmasq(address, architecture, loader(architecture))}\n      Press Ctrl-C to stop."
        )
        running.serve_forever()
