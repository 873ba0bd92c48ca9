"""`doit clean` and `doit cleanup`: what is left over, unmounted, let go of and deleted."""

from __future__ import annotations

import fcntl
import os
import time
from pathlib import Path
from typing import Callable, Dict, List, Sequence, Tuple

from attrs import frozen

from kbimg_tasks import holders, leftovers, lock, mounts, recovery
from kbimg_tasks.layout import Layout

Say = Callable[[str], None]
# The kernel lets go of what an ended process had open a moment after its end.
SETTLE_SECONDS = 1.0


class NotCleaned(Exception):
    """Something could not be deleted; the text is for the user. What it names is whole."""


@frozen
class Cleaning:
    """How to clean one output directory: `force` ends the processes that hold something there;
    `mistakes` of the command line keep everything from being deleted."""

    layout: Layout
    force: bool = False
    mistakes: Tuple[str, ...] = ()

    def show(self, paths: Sequence[Path], say: Say) -> None:
        """What would be deleted and unmounted, with its size on disk."""
        self._check()
        sizes: Dict[Path, int] = {}
        for path in paths:
            for mount in mounts.below(path):
                say(f"{'unmount':>10}  {mount.point}")
            listed = sum(size for other, size in sizes.items() if path in other.parents)
            sizes[path] = recovery.allocated(path) - listed
            say(f"{readable(sizes[path]):>10}  {path}")
        if sizes:
            say(f"{readable(sum(sizes.values())):>10}  in all")
        else:
            say(f"nothing to delete in {self.layout.out}")

    def remove(self, paths: Sequence[Path], say: Say) -> None:
        """Delete the paths. Raises NotCleaned, when all has been deleted that can be."""
        self._check()
        self.take()
        complaints: List[str] = []
        kept: List[Path] = []
        for path in paths:
            if any(path in other.parents for other in kept):
                continue
            try:
                self._remove(path, say)
            except NotCleaned as complaint:
                complaints.append(str(complaint))
                kept.append(path)
        if complaints:
            raise NotCleaned("\n".join(complaints))

    def remove_all(self, paths: Sequence[Path], say: Say) -> None:
        """Delete the paths, and then the output directory too unless something else is in it."""
        self.remove(paths, say)
        out = self.layout.out
        if out.is_symlink() or not out.is_dir():
            return
        if not os.listdir(out) and not os.path.ismount(out):
            out.rmdir()
            say(f"deleted {out}")
        elif not paths:
            say(f"nothing to delete in {out}")

    def take(self) -> None:
        """Take the output directory, so that no build begins in it, nor one of the former tool."""
        private = self.layout.private
        if private.is_dir() and not private.is_symlink():
            lock.hold(self.layout)
        path = self.layout.out / leftovers.FORMER_LOCK
        try:
            number = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NONBLOCK)
        except OSError:
            return
        try:
            fcntl.flock(number, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            found = holders.holding([mounts.own_place(path)])
            raise NotCleaned(
                f"{self.layout.out}: a build of the former tool is at work here, by its "
                f"{path.name}; nothing is deleted:\n{_table(found)}Wait for it, or end it."
            ) from None
        finally:
            os.close(number)

    def _check(self) -> None:
        if self.mistakes:
            raise NotCleaned("\n".join(self.mistakes))

    def _remove(self, path: Path, say: Say) -> None:
        # Whoever works in a tree of the former tool outlived it, and may go on writing there.
        if path in leftovers.former_trees(self.layout):
            self._release(path, holders.holding([mounts.own_place(path)]), "is in use", say)
        try:
            for point in self._unmount(path, say):
                say(f"unmounted {point}")
            # Without its stamp a stage counts as not made, whatever of it is still there.
            if path.is_dir() and not path.is_symlink():
                recovery.delete(path / "stamp.json")
            recovery.delete(path)
        except recovery.StillMounted as error:
            raise NotCleaned(str(error)) from error
        except OSError as error:
            raise NotCleaned(f"{error.filename}: not deleted: {error.strerror}") from error
        say(f"deleted {path}")

    def _unmount(self, path: Path, say: Say) -> List[str]:
        try:
            return mounts.unmount_below(path)
        except mounts.StillMounted as still:
            found = holders.holding([mount.point for mount in still.mounts],
                                    [mount.number for mount in still.mounts])
            why = "; ".join(f"{point} is mounted there and cannot be unmounted: {reason}"
                            for point, reason in still.reasons.items())
            self._release(path, found, why, say)
            if not found:
                raise NotCleaned(
                    f"{path}: nothing in it is deleted: {why}.\n"
                    "No process was found that holds it. Something of the kernel's may: a loop "
                    "device (losetup -a), swap (swapon), an exported directory (exportfs), another "
                    "mount namespace (lsns -t mnt). Undo that, then run the command again."
                ) from still
        return self._unmount_again(path)

    @staticmethod
    def _unmount_again(path: Path) -> List[str]:
        until = time.monotonic() + SETTLE_SECONDS
        while True:
            try:
                return mounts.unmount_below(path)
            except mounts.StillMounted as still:
                if time.monotonic() < until:
                    time.sleep(0.05)
                    continue
                why = "; ".join(f"{point}: {reason}" for point, reason in still.reasons.items())
                raise NotCleaned(
                    f"{path}: nothing in it is deleted: it is still mounted, though who held it "
                    f"has ended: {why}") from still

    def _release(self, path: Path, found: List[holders.Holder], why: str, say: Say) -> None:
        """Have the holders ended when that is wanted. Raises NotCleaned while one lives."""
        if not found:
            return
        advice = ("End them, or run the command again with force=1, which ends them by SIGTERM "
                  "and then SIGKILL.")
        if self.force:
            left = holders.end(found)
            for holder in found:
                if holder not in left:
                    say(f"ended {holder}")
            if not left:
                return
            found = left
            advice = "They started this command or do not end: leave the directory, or end them."
        raise NotCleaned(f"{path}: nothing in it is deleted: {why}. It is held by\n"
                         f"{_table(found)}{advice}")


def _table(found: Sequence[holders.Holder]) -> str:
    return "".join(f"    {holder}\n" for holder in found)


def readable(size: int) -> str:
    """A number of bytes for people, in binary units."""
    amount = float(size)
    for unit in ("B", "KiB", "MiB"):
        if amount < 1024:
            return f"{amount:.0f} {unit}" if unit == "B" else f"{amount:.1f} {unit}"
        amount /= 1024
    return f"{amount:.1f} GiB"
