"""Serves what a machine needs to install itself: kernel, initramfs, root tree and boot menus.

It gives out these files and no others, by GET and HEAD, and parts of them, so that a download goes
on where it broke (RFC 9110, section 14).
"""

from __future__ import annotations

import http.server
import re
from http import HTTPStatus
from pathlib import Path
from typing import Callable, Dict, Mapping, Tuple, Union

BLOCK = 1 << 20
RANGE = re.compile(r"bytes=(\d+)-(\d*)")
KERNEL_WORDS = "console=tty0 console=ttyS0,115200"
Content = Union[Path, bytes]


def ipxe_menu(address: str) -> str:
    """iPXE's script: https://ipxe.org/scripting."""
    return (f"#!ipxe\nkernel http://{address}/vmlinuz initrd=initramfs.img {KERNEL_WORDS}\n"
            f"initrd http://{address}/initramfs.img\nboot\n")


def grub_menu(address: str) -> str:
    """GRUB's configuration for a network start."""
    host = address.partition(":")[0]
    port = address.partition(":")[2]
    place = f"(http,{host}{f':{port}' if port else ''})"
    return ("set timeout=5\nmenuentry \"Install KubeOS\" {\n"
            f"    linux {place}/vmlinuz {KERNEL_WORDS}\n    initrd {place}/initramfs.img\n}}\n")


def dnsmasq(address: str, network: str) -> str:
    """A configuration of dnsmasq(8) for DHCP and TFTP: machines get iPXE, which gets its menu."""
    return (f"# dnsmasq --conf-file=THIS --no-daemon\nport=0\ndhcp-range={network},proxy\n"
            "enable-tftp\ntftp-root=/srv/tftp   # holds ipxe.efi, of the package ipxe\n"
            "dhcp-match=set:ipxe,175\npxe-prompt=\"KubeOS\",1\n"
            "pxe-service=tag:!ipxe,x86-64_EFI,\"iPXE\",ipxe.efi\n"
            f"dhcp-boot=tag:ipxe,http://{address}/boot.ipxe\n")


def handler(files: Mapping[str, Content]) -> type[http.server.BaseHTTPRequestHandler]:
    """Requests for the files, by their paths."""

    class Handler(http.server.BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

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


def server(address: Tuple[str, int], files: Dict[str, Content]) -> http.server.ThreadingHTTPServer:
    """A server that is ready to serve."""
    return http.server.ThreadingHTTPServer(address, handler(files))


def files_of(out: Path, rootfs_name: str, address: str) -> Dict[str, Content]:
    """What is served out of an output directory, by its path."""
    return {
        "/vmlinuz": out / "vmlinuz", "/initramfs.img": out / "initramfs.img",
        f"/{rootfs_name}": out / "kubeos.tar",
        f"/{rootfs_name}.sha256": out / "kubeos.tar.sha256",
        "/boot.ipxe": ipxe_menu(address).encode(), "/grub.cfg": grub_menu(address).encode(),
    }  # fmt: skip


def serve(out: Path, rootfs_name: str, address: str, say: Callable[[str], None]) -> None:
    """Serve until Ctrl-C. Raises OSError when the address cannot be used."""
    host, _, port = address.partition(":")
    files = files_of(out, rootfs_name, address)
    with server((host, int(port or 80)), files) as running:
        say(f"      serving on http://{address}/: {' '.join(sorted(files))}\n"
            f"      GRUB, by the network: configfile (http,{host})/grub.cfg\n"
            f"      iPXE: chain http://{address}/boot.ipxe\n"
            "      DHCP and TFTP, beside a DHCP server that is there, by dnsmasq with:\n\n"
            f"{dnsmasq(address, host)}\n      Ctrl-C ends it.")
        try:
            running.serve_forever()
        except KeyboardInterrupt:
            say("      ended")
