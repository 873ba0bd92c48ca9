"""Run a program with another host name, in a UTS namespace of the caller's own.

Usage: as_host NAME PROGRAM [ARGUMENT …]

The name is set for the whole namespace: uts_namespaces(7). unshare(1) makes one, and has no option
for the name. In the initial namespace this would rename the machine, so it is refused.
"""

from __future__ import annotations

import os
import socket
import sys

# <linux/proc_ns.h>: PROC_UTS_INIT_INO
FIRST_NAMESPACE = 0xEFFFFFFE


def main(name: str, *argv: str) -> None:
    """Become the program. Raises OSError when the name cannot be set."""
    if os.stat("/proc/self/ns/uts").st_ino == FIRST_NAMESPACE:
        raise OSError("this is the initial UTS namespace; expected one made by unshare --uts")
    socket.sethostname(name)
    os.execvp(argv[0], argv)


if __name__ == "__main__":
    try:
        main(*sys.argv[1:])
    except OSError as failure:
        sys.exit(f"as_host: {failure}")
