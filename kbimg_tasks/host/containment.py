"""The namespaces that every program of a build runs in, which end with the build."""

# If the parent dies before the child has asked for the parent-death signal, no signal is sent. So
# the process that starts a program can put its number here; the program runs only if that process
# is still its parent.
BUILDER = "KBIMG_BUILDER"
# `unshare` too may die before its child asks for the signal. The child cannot see processes outside
# its namespace, so it reads the parent's state from a file that was opened before. A process that
# was killed and not yet waited for is a zombie (proc(5), /proc/PID/stat).
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
