"""Frees a path for deletion: unmounts it, detaches loop devices, ends processes that use it."""

from __future__ import annotations

import time
from collections.abc import Sequence
from pathlib import Path
from typing import Callable

from attrs import frozen

from kbimg_tasks.host import holders, loops, mounts
from kbimg_tasks.tools.user_error import UserError

Say = Callable[[str], None]
# The kernel releases the files of a process a moment after the process has ended.
SETTLE_SECONDS = 1.0


@frozen
class Release:
    """Frees paths. `force` ends the processes that hold one; `say` is told what was done."""

    force: bool
    say: Say

    def unmount(self, path: Path) -> None:
        """Unmount everything at or below a path. Raises UserError while something is mounted."""
        for point in self._unmounted(path):
            self.say(f"unmounted {point}")

    def detach(self, loop: loops.Loop) -> None:
        """Detach a loop device. Raises UserError while something uses it."""
        path, shows = Path(loop.file), f"{loop.device} is attached to it"
        if used := loops.uses(loop):
            raise UserError(
                f"{path}: not deleted: {shows} and is in use: {'; '.join(used)}. "
                "Release it, then run the command again."
            )
        found = holders.holding([name for name, _ in loop.parts])
        self.end(path, found, f"{shows} and is open")
        try:
            loops.detach(loop)
        except OSError as error:
            raise UserError(
                f"{path}: not deleted: {shows} and cannot be detached: "
                f"{error.strerror}. See losetup -a."
            ) from error
        self.say(f"detached {loop.device} from {loop.file}")

    def end(self, path: Path, found: list[holders.Holder], why: str) -> None:
        """End the holders if `force` is set. Raises UserError if one of them is left."""
        if not found:
            return
        advice = (
            "End them, or run the command again with force=1, which ends them by SIGTERM "
            "and then SIGKILL."
        )
        if self.force:
            left = holders.end(found)
            for holder in found:
                if holder not in left:
                    self.say(f"ended {holder}")
            if not left:
                return
            found = left
            advice = "They started this command, or do not end. Leave the directory, or end them."
        raise UserError(
            f"{path}: nothing in it is deleted: {why}. It is held by\n{table(found)}{advice}"
        )

    def _unmounted(self, path: Path) -> list[str]:
        try:
            return mounts.unmount_below(path)
        except mounts.StillMounted as still:
            found = holders.holding(
                [mount.point for mount in still.mounts], [mount.number for mount in still.mounts]
            )
            why = "; ".join(
                f"{point} is mounted there and cannot be unmounted: {reason}"
                for point, reason in still.reasons.items()
            )
            self.end(path, found, why)
            if not found:
                raise UserError(
                    f"{path}: nothing in it is deleted: {why}.\n"
                    "No process holds it. The kernel may: look for a loop device (losetup -a), "
                    "swap (swapon), an exported directory (exportfs), or another mount namespace "
                    "(lsns -t mnt). Release it, then run the command again."
                ) from still
        return _unmount_again(path)


def _unmount_again(path: Path) -> list[str]:
    until = time.monotonic() + SETTLE_SECONDS
    while True:
        try:
            return mounts.unmount_below(path)
        except mounts.StillMounted as still:
            if time.monotonic() < until:
                time.sleep(0.05)
                continue
            why = "; ".join(f"{point}: {reason}" for point, reason in still.reasons.items())
            raise UserError(
                f"{path}: nothing in it is deleted: still mounted, although no process uses "
                f"it: {why}"
            ) from still


def table(found: Sequence[holders.Holder]) -> str:
    """The processes, a line each."""
    return "".join(f"    {holder}\n" for holder in found)
