"""doit started hundreds of times: each run is forked from a process that has imported everything.

Importing takes most of the time of a short run. What a run is given is what a new process would be
given: arguments, directory, environment, standard streams, an exit status. That the program starts
from nothing is for the tests that run it as a process of its own (test_cli, test_lifetime).
"""

from __future__ import annotations

import array
import ctypes
import functools
import json
import os
import runpy
import signal
import socket
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path

TOP = Path(__file__).resolve().parent.parent
# What a run of doit imports.
MODULES = ("doit.doit_cmd", "kbimg_tasks.tasks", "kbimg_tasks.tasks.commands")
CLONE_NEWNS = 0x00020000  # <sched.h>


def doit(
    cwd: Path, *argv: str, env: Mapping[str, str], namespace: int = 0
) -> subprocess.CompletedProcess[str]:
    """`python -m doit ARGV` in a directory, and in the mount namespace of a process if one is
    named; its output and its errors are one text."""
    request = {"argv": ["doit", *argv], "cwd": str(cwd), "env": dict(env), "namespace": namespace}
    with tempfile.TemporaryFile() as output:
        channel = _server()
        channel.sendmsg(
            [json.dumps(request).encode()],
            [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", [output.fileno()]))],
        )
        status = int(channel.recv(100))
        output.seek(0)
        text = output.read().decode()
    return subprocess.CompletedProcess(request["argv"], status, text)


@functools.cache
def _server() -> socket.socket:
    """The line to the process that forks; that process ends with this one."""
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    with theirs:
        subprocess.Popen(
            [sys.executable, __file__, str(theirs.fileno())],
            cwd="/",
            stdin=subprocess.DEVNULL,
            pass_fds=[theirs.fileno()],
            env={**os.environ, "PYTHONPATH": str(TOP)},
        )
    return ours


def _serve(channel: socket.socket) -> None:
    """Fork for each request; returns in the process that is to do what was asked."""
    while True:
        data, ancillary, _, _ = channel.recvmsg(1 << 20, socket.CMSG_SPACE(4))
        if not data:
            sys.exit()
        (output,) = array.array("i", ancillary[0][2])
        process = os.fork()
        if process == 0:
            channel.close()
            _become(json.loads(data), output)
            return
        os.close(output)
        _, status = os.waitpid(process, 0)
        channel.send(str(os.waitstatus_to_exitcode(status)).encode())


def _become(request: dict, output: int) -> None:
    """Take on what a new process would have been given."""
    signal.signal(signal.SIGINT, signal.default_int_handler)
    if request["namespace"]:
        with open(f"/proc/{request['namespace']}/ns/mnt", "rb") as namespace:
            libc = ctypes.CDLL(None, use_errno=True)
            if libc.setns(namespace.fileno(), CLONE_NEWNS) != 0:
                raise OSError(ctypes.get_errno(), "setns")
    os.dup2(output, 1)
    os.dup2(output, 2)
    os.close(output)
    os.environ.clear()
    os.environ.update(request["env"])
    os.chdir(request["cwd"])
    sys.argv = request["argv"]
    sys.path[0] = request["cwd"]


if __name__ == "__main__":
    for _name in MODULES:
        __import__(_name)
    with socket.socket(fileno=int(sys.argv[1])) as _channel:
        _serve(_channel)
    runpy.run_module("doit", run_name="__main__", alter_sys=True)
