"""Which programs stages run: read off their steps."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from kbimg_tasks.host.containment import CONTAINMENT
from kbimg_tasks.steps.stage import Arg, Interpreter, Manner, OneOf, Stage, Step

# The programs among the words that every step runs behind.
CONTAINS = ("setpriv", "sh", "unshare")


def programs(stages: Iterable[Stage]) -> set[OneOf]:
    """The programs of this host that the stages run, those they are run behind included."""
    wanted = {OneOf((name,)) for name in CONTAINMENT if name in CONTAINS}
    for stage in stages:
        for step in stage.steps:
            wanted.update(_of_step(step))
    return wanted


def at_work(step: Step) -> str:
    """The program that a step is about, without those that it is run behind."""
    *_, (program, *rest) = _chain(step.argv, into_chroots=True)
    if isinstance(program, Interpreter):
        return str(rest[1]).rpartition(".")[2]
    return program.names[0] if isinstance(program, OneOf) else str(program).rpartition("/")[2]


def _of_step(step: Step) -> Iterator[OneOf]:
    yield from (one if isinstance(one, OneOf) else OneOf((one,)) for one in step.also_runs)
    for program, *_ in _chain(step.argv, into_chroots=False):
        if isinstance(program, Manner):
            yield OneOf((program.word,))
        elif not isinstance(program, Interpreter):
            yield program if isinstance(program, OneOf) else OneOf((str(program),))


def _chain(argv: tuple[Arg, ...], *, into_chroots: bool) -> Iterator[tuple[Arg, ...]]:
    """An argument list, then that of the program which it runs, and so on."""
    while argv:
        yield argv
        program, rest = argv[0], argv[1:]
        wrapper = str(rest[1]) if isinstance(program, Interpreter) else ""
        if program == "flock":
            argv = rest[2:]
        elif wrapper in ("kbimg_tasks.tools.unsynced", "kbimg_tasks.tools.name_locked") or (
            wrapper == "kbimg_tasks.tools.sandboxed"
            and (into_chroots or "--chroot" not in rest[: rest.index("--")])
        ):
            argv = rest[rest.index("--") + 1 :]
        else:
            return
