"""What pxe_serve serves and what it does not, over real connections."""

from __future__ import annotations

import http.client
import socket
import subprocess
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from kbimg_tasks.commands import pxe_serve
from kbimg_tasks.machine.architecture import ARCHITECTURES, X86_64

TAR = bytes(range(256)) * 8192  # more than one block


@pytest.fixture
def port(tmp_path: Path) -> Iterator[int]:
    for name, content in (
        ("vmlinuz", b"kernel"),
        ("initramfs.img", b"initramfs"),
        ("kubeos.tar", TAR),
        ("kubeos.tar.sha256", b"sum"),
        ("secret", b"x"),
    ):
        (tmp_path / name).write_bytes(content)
    files = pxe_serve.files_of(tmp_path, "root.tar", "10.0.0.1:8080", X86_64)
    with (
        socket.create_server(("127.0.0.1", 0)) as listener,
        pxe_serve.server(listener, pxe_serve.application(files), [].append) as running,
    ):
        threading.Thread(target=running.serve_forever, args=[0.01], daemon=True).start()
        yield listener.getsockname()[1]
        running.shutdown()


def ask(port: int, path: str, method: str = "GET", **headers: str) -> tuple:
    line = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
    line.request(method, path, headers=headers)
    answer = line.getresponse()
    return answer.status, answer.read(), dict(answer.getheaders())


def test_the_files_under_the_names_that_the_machine_asks_for(port):
    assert ask(port, "/vmlinuz")[:2] == (200, b"kernel")
    assert ask(port, "/initramfs.img")[:2] == (200, b"initramfs")
    assert ask(port, "/root.tar")[:2] == (200, TAR)
    assert ask(port, "/root.tar.sha256")[:2] == (200, b"sum")


@pytest.mark.parametrize(
    "path",
    [
        "/",
        "/secret",
        "/kubeos.tar",
        "/../secret",
        "/vmlinuz/",
        "/%2e%2e/secret",
        "/.kbimg/stamps",
        "/vmlinuz/../secret",
        "",
        "*",
    ],
)
def test_nothing_else(port, path):
    status, content, _ = ask(port, path)
    assert status == 404
    assert b"kernel" not in content


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "OPTIONS"])
def test_no_other_method(port, method):
    assert ask(port, "/vmlinuz", method)[0] == 405


def test_a_file_that_went_away(port, tmp_path: Path):
    (tmp_path / "vmlinuz").unlink()
    assert ask(port, "/vmlinuz")[0] == 404


def test_head(port):
    status, content, headers = ask(port, "/root.tar", "HEAD")
    assert (status, content) == (200, b"")
    assert headers["Content-Length"] == str(len(TAR))
    assert headers["Accept-Ranges"] == "bytes"


@pytest.mark.parametrize(
    ("asked", "begin", "end"),
    [
        ("bytes=0-", 0, len(TAR)),
        ("bytes=1500000-", 1_500_000, len(TAR)),
        ("bytes=3-9", 3, 10),
        (f"bytes=5-{len(TAR) * 2}", 5, len(TAR)),
        ("bytes=-5", len(TAR) - 5, len(TAR)),
    ],
)
def test_parts(port, asked, begin, end):
    status, content, headers = ask(port, "/root.tar", Range=asked)
    assert (status, content) == (206, TAR[begin:end])
    assert headers["Content-Range"] == f"bytes {begin}-{end - 1}/{len(TAR)}"


@pytest.mark.parametrize("asked", [f"bytes={len(TAR)}-", "lines=1-2", "bytes=1-2,4-5", "x"])
def test_parts_that_it_does_not_have(port, asked):
    """The client then fails by itself, not because of wrong bytes."""
    status, content, _ = ask(port, "/root.tar", Range=asked)
    assert status == 416
    assert len(content) < 1000


def test_a_client_that_goes_away_disturbs_nobody(port, capfd):
    for _ in range(3):
        with socket.create_connection(("127.0.0.1", port)) as line:
            line.sendall(b"GET /root.tar HTTP/1.1\r\nHost: x\r\n\r\n")
            line.recv(10)
    assert ask(port, "/vmlinuz")[0] == 200
    assert "Traceback" not in capfd.readouterr().err


def test_menus(port):
    status, menu, _ = ask(port, "/boot.ipxe")
    assert status == 200 and menu.startswith(b"#!ipxe\n")
    assert b"http://10.0.0.1:8080/initramfs.img" in menu
    assert b"(http,10.0.0.1:8080)/vmlinuz" in ask(port, "/grub.cfg")[1]


@pytest.mark.parametrize("architecture", ARCHITECTURES.values(), ids=ARCHITECTURES)
def test_dnsmasq_understands_its_configuration(architecture, tmp_path: Path):
    path = tmp_path / "dnsmasq.conf"
    path.write_text(
        pxe_serve.dnsmasq("192.168.122.50:8080", architecture, Path("/srv/tftp/ipxe.efi"))
    )
    done = subprocess.run(
        ["dnsmasq", "--test", f"--conf-file={path}"],
        text=True,
        check=False,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
    )
    assert "syntax check OK" in done.stdout, done.stdout
    assert done.returncode == 0
