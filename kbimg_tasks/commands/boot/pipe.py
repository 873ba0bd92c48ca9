"""Joins standard input and output to a port of this machine, for QEMU's guestfwd.

Usage: pipe PORT
"""

from __future__ import annotations

import os
import socket
import sys
import threading

BLOCK = 1 << 16


def main(port: str) -> None:
    """Copy data until one side closes."""
    with socket.create_connection(("127.0.0.1", int(port))) as line:

        def upwards() -> None:
            while block := os.read(0, BLOCK):
                line.sendall(block)
            line.shutdown(socket.SHUT_WR)

        threading.Thread(target=upwards, daemon=True).start()
        while block := line.recv(BLOCK):
            while block:
                block = block[os.write(1, block) :]


if __name__ == "__main__":
    main(sys.argv[1])
