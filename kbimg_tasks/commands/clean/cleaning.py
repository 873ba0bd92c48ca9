"""`doit clean` and `doit cleanup`: unmount, detach and delete what builds left."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterable, Sequence
from pathlib import Path

from attrs import frozen

from kbimg_tasks.build import lock
from kbimg_tasks.commands.clean import leftovers
from kbimg_tasks.commands.clean.release import Release, Say, table
from kbimg_tasks.diagnostics.figures import readable
from kbimg_tasks.host import holders, loops, mounts, remove
from kbimg_tasks.steps.layout import STAMP, Layout
from kbimg_tasks.tools.user_error import UserError


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
            listed_loops = {loop for other in inner for loop in loops.below(other)}
            _show_loops([loop for loop in loops.below(path) if loop not in listed_loops], say)
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
        _show_loops(others(self.layout, paths), say)
        self.show(paths, say)

    def remove(self, paths: Sequence[Path], say: Say, is_whole: bool = False) -> None:
        """Delete the paths and, with `is_whole`, detach the loop devices of all other files in the
        directory. Raises UserError for paths that stay, after deleting the others."""
        self._check()
        take(self.layout)
        release = Release(self.force, say)
        errors: list[str] = []
        left: list[Path] = []
        for path in paths:
            if any(path in other.parents for other in left):
                continue
            try:
                self._remove(path, release)
            except UserError as error:
                errors.append(str(error))
                left.append(path)
        for loop in others(self.layout, left) if is_whole else ():
            try:
                release.detach(loop)
            except UserError as error:
                errors.append(str(error))
        if errors:
            raise UserError("\n".join(errors))

    def recover(self, paths: Sequence[Path], say: Say) -> None:
        """Delete the paths, and detach the loop devices of all other files in the directory."""
        self.remove(paths, say, is_whole=True)

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

    def _check(self) -> None:
        if self.mistakes:
            raise UserError("\n".join(self.mistakes))

    def _remove(self, path: Path, release: Release) -> None:
        # Processes in a tree of legacy kbimg have outlived it, and may still write there.
        if path in leftovers.legacy_trees(self.layout):
            release.end(path, holders.holding([mounts.own_place(path)]), "is in use")
        try:
            release.unmount(path)
            for loop in loops.below(path):
                release.detach(loop)
            # The stamp goes first: a stage without one is not made, whatever else is left of it.
            if path.is_dir() and not path.is_symlink():
                remove.delete(path / STAMP)
            remove.delete(path)
        except OSError as error:
            raise UserError(f"{error.filename}: not deleted: {error.strerror}") from error
        release.say(f"deleted {path}")


def take(layout: Layout) -> None:
    """Lock the output directory, so that neither a build nor legacy kbimg starts in it."""
    private = layout.private
    if private.is_dir() and not private.is_symlink():
        lock.hold(layout)
    path = layout.out / leftovers.LEGACY_LOCK
    try:
        number = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NONBLOCK)
    except OSError:
        return
    try:
        fcntl.flock(number, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        found = holders.holding([mounts.own_place(path)])
        raise UserError(
            f"{layout.out}: a build of legacy kbimg is running here and holds "
            f"{path.name}; nothing is deleted:\n{table(found)}Wait for it, or end it."
        ) from None
    finally:
        os.close(number)


def others(layout: Layout, apart_from: Iterable[Path]) -> list[loops.Loop]:
    """The loop devices of the output directory's other files."""
    known = {loop for path in apart_from for loop in loops.below(path)}
    out = Path(os.path.realpath(layout.out))
    return [loop for loop in loops.below(out) if loop not in known]


def _show_loops(found: Sequence[loops.Loop], say: Say) -> None:
    for loop in found:
        say(f"{'detach':>10}  {loop.device} from {loop.file}")
