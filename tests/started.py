"""doit and kbimg started hundreds of times, each forked from a process that has imported both.

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
# What runs import.
MODULES = ("doit.doit_cmd", "kbimg_tasks.cli.main", "kbimg_tasks.tasks.commands")
KBIMG = "kbimg_tasks.cli.main"
CLONE_NEWNS = 0x00020000  # <sched.h>


def doit(
    cwd: Path,
    *argv: str,
    env: Mapping[str, str] = os.environ,
    namespace: int = 0,
    separate: bool = False,
) -> subprocess.CompletedProcess[str]:
    """`python -m doit ARGV` in a directory, and in the mount namespace of a process if one is
    named; its output and its errors are one text, unless they are wanted separate."""
    return _run("doit", ["doit", *argv], cwd, env, namespace, separate)


def kbimg(
    cwd: Path, *argv: str, env: Mapping[str, str] = os.environ
) -> subprocess.CompletedProcess[str]:
    """`kbimg ARGV`, run in the same way."""
    return _run(KBIMG, ["kbimg", *argv], cwd, env)


def _run(
    module: str,
    argv: list[str],
    cwd: Path,
    env: Mapping[str, str],
    namespace: int = 0,
    separate: bool = False,
) -> subprocess.CompletedProcess[str]:
    request = {
        "module": module,
        "argv": argv,
        "cwd": str(cwd),
        "env": dict(env),
        "namespace": namespace,
    }
    with tempfile.TemporaryFile() as output, tempfile.TemporaryFile() as errors:
        streams = array.array("i", [output.fileno(), (errors if separate else output).fileno()])
        channel = _server()
        channel.sendmsg(
            [json.dumps(request).encode()], [(socket.SOL_SOCKET, socket.SCM_RIGHTS, streams)]
        )
        status = int(channel.recv(100))
        output.seek(0)
        errors.seek(0)
        return subprocess.CompletedProcess(
            argv, status, output.read().decode(), errors.read().decode()
        )


@functools.cache
def _server() -> socket.socket:
    """The connection to the forking process, which ends with this one."""
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


def _serve(channel: socket.socket) -> str:
    """Fork for each request. Returns in the new process, with the module to run."""
    while True:
        data, ancillary, _, _ = channel.recvmsg(1 << 20, socket.CMSG_SPACE(8))
        if not data:
            sys.exit()
        streams = array.array("i", ancillary[0][2])
        process = os.fork()
        if process == 0:
            channel.close()
            request = json.loads(data)
            _become(request, *streams)
            return request["module"]
        for number in streams:
            os.close(number)
        _, status = os.waitpid(process, 0)
        channel.send(str(os.waitstatus_to_exitcode(status)).encode())


def _become(request: dict, output: int, errors: int) -> None:
    """Set what a new process would have been given."""
    signal.signal(signal.SIGINT, signal.default_int_handler)
    if request["namespace"]:
        with open(f"/proc/{request['namespace']}/ns/mnt", "rb") as namespace:
            libc = ctypes.CDLL(None, use_errno=True)
            if libc.setns(namespace.fileno(), CLONE_NEWNS) != 0:
                raise OSError(ctypes.get_errno(), "setns")
    os.dup2(output, 1)
    os.dup2(errors, 2)
    os.close(output)
    os.close(errors)
    os.environ.clear()
    os.environ.update(request["env"])
    os.chdir(request["cwd"])
    sys.argv = request["argv"]
    sys.path[0] = request["cwd"]


if __name__ == "__main__":
    for _name in MODULES:
        __import__(_name)
    with socket.socket(fileno=int(sys.argv[1])) as _channel:
        _module = _serve(_channel)
    if _module == KBIMG:
        sys.exit(sys.modules[KBIMG].main())
    runpy.run_module(_module, run_name="__main__", alter_sys=True)
