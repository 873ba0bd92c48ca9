"""`doit check`: whether the images of a configuration can be built, without building anything."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from attrs import frozen

from kbimg_tasks.build import preflight
from kbimg_tasks.config.load import configured
from kbimg_tasks.config.model import Config
from kbimg_tasks.config.source import name_as_typed
from kbimg_tasks.diagnostics.problem import ERROR, WARNING, Problem, in_order
from kbimg_tasks.diagnostics.show import Painter
from kbimg_tasks.session.obstacles import needed_mib, unmade
from kbimg_tasks.session.request import DEFAULT_IMAGE, Variables
from kbimg_tasks.session.session import Planned, Refused, session
from kbimg_tasks.steps.stage import Stage


@frozen
class Judgement:
    """What was found about the configuration in `file`, for `images` on machines of an
    `architecture`. `programs` counts those of this host that were looked for; the host has not been
    judged in full when the configuration did not say what to build."""

    file: str
    images: tuple[str, ...]
    architecture: str
    programs: int
    is_host_judged: bool
    problems: tuple[Problem, ...]

    @property
    def has_errors(self) -> bool:
        """Whether a build would be refused."""
        return any(problem.severity == ERROR for problem in self.problems)


def judge(asked: Variables) -> Judgement:
    """The configuration for every image that it has tables for, each as if it alone were built, and
    this host for all of them."""
    images = configured(asked.config, asked.started_in) or (DEFAULT_IMAGE,)
    sessions = [(image, session(asked, (image,))) for image in images]
    found: list[Problem] = []
    stages: list[Stage] = []
    to_make: list[Stage] = []
    for image, one in sessions:
        if isinstance(one, Planned):
            missing = unmade(one, (image,))
            found += (*one.warnings, *_passed_over(one.config), *one.source.problems(missing))
            stages += one.plan.standing_under((image,))
            to_make += missing
        else:
            found += one.problems
    wanted = tuple(dict.fromkeys(stages))
    host = preflight.problems(
        wanted, asked.layout, needed_mib(tuple(dict.fromkeys(to_make)), asked.layout)
    )
    return Judgement(
        name_as_typed(asked.config, asked.started_in),
        images,
        asked.architecture.name,
        len(preflight.programs(wanted)),
        not any(isinstance(one, Refused) for _, one in sessions),
        (*in_order(found), *map(Problem.of_no_file, host)),
    )


def _passed_over(config: Config) -> Iterator[Problem]:
    """What belongs to an image that the others of the same file exclude."""
    if config.dm_verity and config.pxe_config:
        yield config.problem(
            ("pxe_config",),
            "passed over: dm-verity is for virtual machines, and pxe_img is not made with it",
            WARNING,
        )


def report(found: Judgement, painter: Painter) -> str:
    """All problems, and at the end what was looked at."""
    return "\n\n".join((*map(painter.text, found.problems), "\n".join(_summary(found))))


def _summary(found: Judgement) -> Iterator[str]:
    names = _joined(found.images)
    if not found.has_errors:
        yield (
            f"{found.file}: right for {names} on {found.architecture}, with the files that it names"
        )
        yield f"this host: has the {found.programs} programs and the room that building takes"
        return
    counts = [_count(found, severity) for severity in (ERROR, WARNING)]
    yield (
        f"{_joined(list(filter(None, counts)))}; {found.file} was judged for {names} on "
        f"{found.architecture}"
    )
    if not found.is_host_judged:
        yield "this host is judged in full once the configuration is right"


def _count(found: Judgement, severity: str) -> str:
    number = sum(problem.severity == severity for problem in found.problems)
    return f"{number} {severity}{'s' if number > 1 else ''}" if number else ""


def _joined(words: Sequence[str]) -> str:
    *first, last = words
    return f"{', '.join(first)} and {last}" if first else last
