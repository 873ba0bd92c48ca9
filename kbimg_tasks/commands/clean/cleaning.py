"""`doit clean` and `doit cleanup`: unmount, detach and delete what builds left."""

from __future__ import annotations

import fcntl
import os
import time
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Callable

from attrs import frozen

from kbimg_tasks.build import lock
from kbimg_tasks.commands.clean import leftovers
from kbimg_tasks.diagnostics.figures import readable
from kbimg_tasks.host import holders, loops, mounts, remove
from kbimg_tasks.steps.layout import STAMP, Layout
from kbimg_tasks.tools.user_error import UserError

Say = Callable[[str], None]
# The kernel releases the files of a process a moment after the process has ended.
SETTLE_SECONDS = 1.0


@frozen
class Cleaning:
    """Cleans one output directory. `force` ends the processes that hold something there. With
    `mistakes`, errors of the command line, nothing is deleted."""

    layout: Layout
    force: bool = False
    mistakes: tuple[str, ...] = ()

    def show(self, paths: Sequence[Path], say: Say) -> None:
        """Print what `remove` would delete and unmount, with sizes on disk."""
        self._check()
        sizes: dict[Path, int] = {}
        for path in paths:
            for mount in mounts.below(path):
                say(f"{'unmount':>10}  {mount.point}")
            inner = [other for other in sizes if path in other.parents]
            told = {loop for other in inner for loop in loops.below(other)}
            _show_loops([loop for loop in loops.below(path) if loop not in told], say)
            listed = sum(sizes[other] for other in inner)
            sizes[path] = remove.allocated(path) - listed
            say(f"{readable(sizes[path]):>10}  {path}")
        if sizes:
            say(f"{readable(sum(sizes.values())):>10}  in all")
        else:
            say(f"nothing to delete in {self.layout.out}")

    def show_all(self, paths: Sequence[Path], say: Say) -> None:
        """Print what `recover` would delete, unmount and detach: loop devices of other files in the
        output directory too."""
        _show_loops(self._others(paths), say)
        self.show(paths, say)

    def remove(self, paths: Sequence[Path], say: Say) -> None:
        """Delete the paths. Raises UserError for paths that stay, after deleting the others."""
        self._remove_each(paths, say)

    def recover(self, paths: Sequence[Path], say: Say) -> None:
        """Delete the paths, and detach the loop devices of all other files in the directory."""
        self._remove_each(paths, say, is_whole=True)

    def _remove_each(self, paths: Sequence[Path], say: Say, is_whole: bool = False) -> None:
        self._check()
        self.take()
        complaints: list[str] = []
        kept: list[Path] = []
        for path in paths:
            if any(path in other.parents for other in kept):
                continue
            try:
                self._remove(path, say)
            except UserError as complaint:
                complaints.append(str(complaint))
                kept.append(path)
        for loop in self._others(kept) if is_whole else ():
            try:
                self._detach(loop, say)
            except UserError as complaint:
                complaints.append(str(complaint))
        if complaints:
            raise UserError("\n".join(complaints))

    def remove_all(self, paths: Sequence[Path], say: Say) -> None:
        """Delete the paths, detach all loop devices, and delete the output directory if it is empty
        then."""
        self.recover(paths, say)
        out = self.layout.out
        if not os.path.lexists(out):
            say(f"there is no {out}")
        if out.is_symlink() or not out.is_dir():
            return
        if not os.listdir(out) and not os.path.ismount(out):
            out.rmdir()
            say(f"deleted {out}")
        elif not paths:
            say(f"nothing to delete in {out}")

    def take(self) -> None:
        """Lock the output directory, so that no build starts in it, nor one of legacy kbimg."""
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
            raise UserError(
                f"{self.layout.out}: a build of legacy kbimg is running here and holds "
                f"{path.name}; nothing is deleted:\n{_table(found)}Wait for it, or end it."
            ) from None
        finally:
            os.close(number)

    def _check(self) -> None:
        if self.mistakes:
            raise UserError("\n".join(self.mistakes))

    def _remove(self, path: Path, say: Say) -> None:
        # Processes in a tree of legacy kbimg have outlived it, and may still write there.
        if path in leftovers.former_trees(self.layout):
            self._release(path, holders.holding([mounts.own_place(path)]), "is in use", say)
        try:
            for point in self._unmount(path, say):
                say(f"unmounted {point}")
            for loop in loops.below(path):
                self._detach(loop, say)
            # The stamp goes first: a stage without one is not made, whatever else is left of it.
            if path.is_dir() and not path.is_symlink():
                remove.delete(path / STAMP)
            remove.delete(path)
        except OSError as error:
            raise UserError(f"{error.filename}: not deleted: {error.strerror}") from error
        say(f"deleted {path}")

    def _others(self, apart_from: Iterable[Path]) -> list[loops.Loop]:
        """The loop devices of the output directory's other files."""
        known = {loop for path in apart_from for loop in loops.below(path)}
        out = Path(os.path.realpath(self.layout.out))
        return [loop for loop in loops.below(out) if loop not in known]

    def _detach(self, loop: loops.Loop, say: Say) -> None:
        """Detach a loop device. Raises UserError while something uses it."""
        path, shows = Path(loop.file), f"{loop.device} is attached to it"
        if used := loops.uses(loop):
            raise UserError(
                f"{path}: not deleted: {shows} and is in use: {'; '.join(used)}. "
                "Release it, then run the command again."
            )
        self._release(
            path, holders.holding([name for name, _ in loop.parts]), f"{shows} and is open", say
        )
        try:
            loops.detach(loop)
        except OSError as error:
            raise UserError(
                f"{path}: not deleted: {shows} and cannot be detached: "
                f"{error.strerror}. See losetup -a."
            ) from error
        say(f"detached {loop.device} from {loop.file}")

    def _unmount(self, path: Path, say: Say) -> list[str]:
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
            self._release(path, found, why, say)
            if not found:
                raise UserError(
                    f"{path}: nothing in it is deleted: {why}.\n"
                    "No process holds it. The kernel may: look for a loop device (losetup -a), "
                    "swap (swapon), an exported directory (exportfs), or another mount namespace "
                    "(lsns -t mnt). Release it, then run the command again."
                ) from still
        return self._unmount_again(path)

    @staticmethod
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

    def _release(self, path: Path, found: list[holders.Holder], why: str, say: Say) -> None:
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
                    say(f"ended {holder}")
            if not left:
                return
            found = left
            advice = "They started this command, or do not end. Leave the directory, or end them."
        raise UserError(
            f"{path}: nothing in it is deleted: {why}. It is held by\n{_table(found)}{advice}"
        )


def _table(found: Sequence[holders.Holder]) -> str:
    return "".join(f"    {holder}\n" for holder in found)


def _show_loops(found: Sequence[loops.Loop], say: Say) -> None:
    for loop in found:
        say(f"{'detach':>10}  {loop.device} from {loop.file}")
