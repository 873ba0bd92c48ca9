"""Which programs of the host stages run: read off their steps."""

from __future__ import annotations

from typing import Iterable, Iterator, Set

from kbimg_tasks.sandbox import CONTAINMENT
from kbimg_tasks.stage import Arg, Interpreter, Manner, OneOf, Stage, Step

# The programs among the words that every step runs behind.
CONTAINS = ("setpriv", "sh", "unshare")


def programs(stages: Iterable[Stage]) -> Set[OneOf]:
    """The programs of this host that the stages run, those they are run behind included."""
    wanted = {OneOf((name,)) for name in CONTAINMENT if name in CONTAINS}
    for stage in stages:
        for step in stage.steps:
            wanted.update(_of_step(step))
    return wanted


def _of_step(step: Step) -> Iterator[OneOf]:
    yield from (one if isinstance(one, OneOf) else OneOf((one,)) for one in step.also_runs)
    argv: tuple[Arg, ...] = step.argv
    while argv:
        program, rest = argv[0], argv[1:]
        wrapper = str(rest[1]) if isinstance(program, Interpreter) else ""
        if isinstance(program, Manner):
            yield OneOf((program.word,))
        elif not isinstance(program, Interpreter):
            yield program if isinstance(program, OneOf) else OneOf((str(program),))
        if program == "flock":
            argv = rest[2:]
        elif wrapper in ("kbimg_tasks.tools.unsynced", "kbimg_tasks.tools.name_locked") or (
                wrapper == "kbimg_tasks.tools.sandboxed"
                and "--chroot" not in rest[: rest.index("--")]):  # fmt: skip
            argv = rest[rest.index("--") + 1 :]
        else:
            return
