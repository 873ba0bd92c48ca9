"""The programs and architectures that stages need, derived from their steps."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from kbimg_tasks.host.containment import CONTAINMENT
from kbimg_tasks.steps.args import Arg, Program, Unhashed
from kbimg_tasks.steps.sandbox import Sandbox
from kbimg_tasks.steps.stage import Stage
from kbimg_tasks.steps.step import Step

# The programs in the command that contains every step.
CONTAINS = ("setpriv", "sh", "unshare")


def programs(stages: Iterable[Stage]) -> set[Program]:
    """The programs of this host that the stages run, including wrappers."""
    wanted = {Program((name,)) for name in CONTAINMENT if name in CONTAINS}
    for stage in stages:
        for step in stage.steps:
            wanted.update(_of_step(step))
    return wanted


def machines(stages: Iterable[Stage]) -> set[str]:
    """The names of the architectures whose programs the stages run inside a tree."""
    return {
        wrapper.machine
        for stage in stages
        for step in stage.steps
        for wrapper in step.wrappers
        if isinstance(wrapper, Sandbox) and wrapper.machine
    }


def at_work(step: Step) -> str:
    """The name of a step's program, without its wrappers."""
    program = _program(step.argv[0])
    return program.tool or program.names[0].rpartition("/")[2]


def _of_step(step: Step) -> Iterator[Program]:
    yield from map(_program, step.also_runs)
    for each in (*step.wrappers, step):
        program = _program(each.argv[0])
        if not program.tool:
            yield program
        if isinstance(each, Sandbox) and each.chroot:
            return  # inside a chroot, programs are those of the tree


def _program(arg: Arg) -> Program:
    if isinstance(arg, Program):
        return arg
    return Program((arg.word if isinstance(arg, Unhashed) else str(arg),))
