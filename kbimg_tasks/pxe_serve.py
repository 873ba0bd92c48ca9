"""Serves what a machine needs to install itself: kernel, initramfs, root tree and boot menus.

It gives out these files and no others, by GET and HEAD, and parts of them, so that a download goes
on where it broke (RFC 9110, section 14).
"""

from __future__ import annotations

import http.server
import re
import sys
from http import HTTPStatus
from pathlib import Path
from typing import Any, Callable, Dict, Mapping, Tuple, Union

BLOCK = 1 << 20
IDLE_SECONDS = 60
RANGE = re.compile(r"bytes=(\d+)-(\d*)")
# Of the packages ipxe (Debian) and ipxe-bootimgs (openEuler).
LOADERS = (Path("/usr/lib/ipxe/snponly.efi"), Path("/usr/share/ipxe/ipxe-snponly-x86_64.efi"))
KERNEL_WORDS = "console=tty0 console=ttyS0,115200"
Content = Union[Path, bytes]


def ipxe_menu(address: str) -> str:
    """iPXE's script: https://ipxe.org/scripting."""
    return (f"#!ipxe\nkernel http://{address}/vmlinuz initrd=initramfs.img {KERNEL_WORDS}\n"
            f"initrd http://{address}/initramfs.img\nboot\n")


def grub_menu(address: str) -> str:
    """GRUB's configuration for a network start."""
    place = f"(http,{address})"
    return ("set timeout=5\nmenuentry \"Install KubeOS\" {\n"
            f"    linux {place}/vmlinuz {KERNEL_WORDS}\n    initrd {place}/initramfs.img\n}}\n")


def dnsmasq(address: str, loader: Path) -> str:
    """A configuration of dnsmasq(8) for TFTP and for what DHCP says about starting; addresses come
    from the DHCP server that is there. Firmware gets iPXE, and iPXE its menu."""
    host = address.partition(":")[0]
    return (f"# dnsmasq --conf-file=THIS --no-daemon\nport=0\ndhcp-range={host},proxy\n"
            f"enable-tftp\ntftp-root={loader.parent}\n"
            "dhcp-match=set:ipxe,175\n"
            f'pxe-service=tag:!ipxe,x86-64_EFI,"iPXE",{loader.name}\n'
            f'pxe-service=tag:ipxe,x86-64_EFI,"KubeOS",http://{address}/boot.ipxe\n')


def loader() -> Path:
    """iPXE for UEFI that uses the firmware's own driver of the adapter."""
    return next((path for path in LOADERS if path.exists()), LOADERS[0])


def handler(files: Mapping[str, Content],
            say: Callable[[str], None]) -> type[http.server.BaseHTTPRequestHandler]:  # fmt: skip
    """Requests for the files, by their paths; each is told."""

    class Handler(http.server.BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        timeout = IDLE_SECONDS

        def log_message(self, format: str, *args: Any) -> None:
            say(f"      {self.client_address[0]} {format % args}")

        def do_GET(self) -> None:
            self._answer(with_content=True)

        def do_HEAD(self) -> None:
            self._answer(with_content=False)

        def _answer(self, with_content: bool) -> None:
            found = files.get(self.path.partition("?")[0])
            if found is None:
                self.send_error(HTTPStatus.NOT_FOUND)
                return
            size = len(found) if isinstance(found, bytes) else found.stat().st_size
            first, last, status = self._part(size)
            if status == HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE:
                self.send_response(status)
                self.send_header("Content-Range", f"bytes */{size}")
                self.send_header("Content-Length", "0")
                self.end_headers()
                return
            self.send_response(status)
            self.send_header("Content-Length", str(last - first + 1))
            self.send_header("Accept-Ranges", "bytes")
            if status == HTTPStatus.PARTIAL_CONTENT:
                self.send_header("Content-Range", f"bytes {first}-{last}/{size}")
            self.end_headers()
            if with_content:
                self._send(found, first, last - first + 1)

        def _part(self, size: int) -> Tuple[int, int, HTTPStatus]:
            asked = RANGE.fullmatch(self.headers.get("Range", ""))
            if not asked:
                return 0, size - 1, HTTPStatus.OK
            first = int(asked[1])
            last = min(int(asked[2]) if asked[2] else size - 1, size - 1)
            if first > last:
                return 0, 0, HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE
            return first, last, HTTPStatus.PARTIAL_CONTENT

        def _send(self, content: Content, first: int, count: int) -> None:
            if isinstance(content, bytes):
                self.wfile.write(content[first : first + count])
                return
            with content.open("rb") as stream:
                stream.seek(first)
                while count and (block := stream.read(min(BLOCK, count))):
                    self.wfile.write(block)
                    count -= len(block)

    return Handler


def server(address: Tuple[str, int], files: Mapping[str, Content],
           say: Callable[[str], None]) -> http.server.ThreadingHTTPServer:  # fmt: skip
    """A server that is ready to serve."""

    class Server(http.server.ThreadingHTTPServer):
        def handle_error(self, request: Any, client_address: Any) -> None:
            error = sys.exc_info()[1]
            if isinstance(error, OSError):
                say(f"      {client_address[0]} went away: {error.strerror}")
            else:
                super().handle_error(request, client_address)

    return Server(address, handler(files, say))


def files_of(out: Path, rootfs_name: str, address: str) -> Dict[str, Content]:
    """What is served out of an output directory, by its path."""
    return {
        "/vmlinuz": out / "vmlinuz", "/initramfs.img": out / "initramfs.img",
        f"/{rootfs_name}": out / "kubeos.tar",
        f"/{rootfs_name}.sha256": out / "kubeos.tar.sha256",
        "/boot.ipxe": ipxe_menu(address).encode(), "/grub.cfg": grub_menu(address).encode(),
    }  # fmt: skip


def serve(out: Path, rootfs_name: str, address: str, say: Callable[[str], None]) -> None:
    """Serve until Ctrl-C, which ends doit itself; OSError when the address cannot be used."""
    host, _, port = address.partition(":")
    files = files_of(out, rootfs_name, address)
    with server((host, int(port or 80)), files, say) as running:
        say(f"      serving on http://{address}/: {' '.join(sorted(files))}\n"
            f"      GRUB, by the network: configfile (http,{address})/grub.cfg\n"
            f"      iPXE: chain http://{address}/boot.ipxe\n"
            "      TFTP, beside a DHCP server that is there, by dnsmasq with:\n\n"
            f"{dnsmasq(address, loader())}\n      Ctrl-C ends it.")
        running.serve_forever()
