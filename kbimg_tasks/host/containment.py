"""The namespaces that every program of a build runs in, which end with the build."""

# The parent-death signal is not sent by a parent that died before it was asked for. So whoever
# starts a program may name itself here, and nothing runs unless it is the parent still.
BUILDER = "KBIMG_BUILDER"
# `unshare` too may die before its child asks. The child cannot see a process outside of its
# namespace: it reads of it in a file that was opened before. What was killed and not yet waited for
# is a zombie (proc(5), /proc/PID/stat).
_STILL_THERE = (
    '[ "${KBIMG_BUILDER:-$PPID}" = "$PPID" ] || exit 1; '
    'unset KBIMG_BUILDER; exec "$@" 9</proc/$$/stat'
)
PARENT_LIVES = (
    "read -r parent <&9 || exit 1; "
    'case "$parent" in *") Z "* | *") X "*) exit 1 ;; esac; exec "$@" 9<&-'
)

# Every program of a build runs behind these. The parent-death signal ends `unshare` when the build
# dies, `--kill-child` ends the first process of the PID namespace with it, and the kernel then ends
# every other process of that namespace and drops its mounts: prctl(2), unshare(1),
# pid_namespaces(7).
CONTAINMENT = (
    "setpriv",
    "--pdeathsig",
    "KILL",
    "--",
    "sh",
    "-c",
    _STILL_THERE,
    "sh",
    "unshare",
    "--mount",
    "--uts",
    "--ipc",
    "--pid",
    "--fork",
    "--kill-child=KILL",
    "--mount-proc",
    "--",
    "sh",
    "-c",
    PARENT_LIVES,
    "sh",
)
