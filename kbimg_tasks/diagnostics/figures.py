"""Times and sizes as text for users."""

from __future__ import annotations

from kbimg_tasks.tools.units import KIB, MIB

SECONDS_A_MINUTE = 60


def duration(seconds: float) -> str:
    """A duration, to a tenth of a second below a minute."""
    if seconds < SECONDS_A_MINUTE:
        return f"{seconds:.1f} s"
    return elapsed(seconds)


def elapsed(seconds: float) -> str:
    """The duration so far of a running task, in whole seconds."""
    minutes, rest = divmod(int(seconds), SECONDS_A_MINUTE)
    return f"{minutes}m{rest:02}s" if minutes else f"{rest} s"


def size(count: int) -> str:
    """A number of bytes."""
    if count < MIB:
        return f"{-(-count // KIB)} KiB"
    return f"{count / MIB:.1f} MiB" if count < 10 * MIB else f"{count / MIB:.0f} MiB"


def readable(size: int) -> str:
    """A number of bytes in binary units, to a tenth."""
    amount = float(size)
    for unit in ("B", "KiB", "MiB"):
        if amount < 1024:
            return f"{amount:.0f} {unit}" if unit == "B" else f"{amount:.1f} {unit}"
        amount /= 1024
    return f"{amount:.1f} GiB"
