"""`doit check`: whether the images of a configuration can be built, without building anything."""

from __future__ import annotations

from collections.abc import Iterator

from attrs import frozen

from kbimg_tasks.build import preflight
from kbimg_tasks.config.load import configured
from kbimg_tasks.config.model import Config
from kbimg_tasks.config.source import name_as_typed
from kbimg_tasks.diagnostics.problem import ERROR, WARNING, Problem, in_order
from kbimg_tasks.diagnostics.show import Painter
from kbimg_tasks.plan.kinds import DEFAULT_IMAGE, KINDS
from kbimg_tasks.session.obstacles import needed_mib, unmade
from kbimg_tasks.session.request import Variables
from kbimg_tasks.session.session import Planned, Refused, session
from kbimg_tasks.steps.stage import Stage


@frozen
class Findings:
    """The problems of the configuration in `file`, for `images` of an `architecture`.

    `programs` is the number of programs checked on this host. The host is checked completely only
    if the configuration is valid: otherwise it is unknown what the images need.
    """

    file: str
    images: tuple[str, ...]
    architecture: str
    programs: int
    is_host_complete: bool
    problems: tuple[Problem, ...]

    @property
    def has_errors(self) -> bool:
        """Whether a build would be refused."""
        return any(problem.severity == ERROR for problem in self.problems)


def check(asked: Variables) -> Findings:
    """Check the configuration for every image that it has tables for, each as if built alone, and
    the host for all of them."""
    images = configured(asked.config, asked.started_in, KINDS.values()) or (DEFAULT_IMAGE,)
    sessions = [(image, session(asked, (image,))) for image in images]
    found: list[Problem] = []
    stages: list[Stage] = []
    to_make: list[Stage] = []
    for image, one in sessions:
        if isinstance(one, Planned):
            missing = unmade(one, (image,))
            found += (*one.warnings, *_ignored(one.config), *one.source.problems(missing))
            stages += one.plan.standing_under((image,))
            to_make += missing
        else:
            found += one.problems
    wanted = tuple(dict.fromkeys(stages))
    host = preflight.problems(
        wanted, asked.layout, needed_mib(tuple(dict.fromkeys(to_make)), asked.layout)
    )
    return Findings(
        name_as_typed(asked.config, asked.started_in),
        images,
        asked.architecture.name,
        len(preflight.programs(wanted)),
        not any(isinstance(one, Refused) for _, one in sessions),
        (*in_order(found), *map(Problem.of_no_file, host)),
    )


def _ignored(config: Config) -> Iterator[Problem]:
    """Tables of an image that the other tables of the file exclude."""
    options = config.document.places
    for kind in KINDS.values():
        for table in kind.excludes:
            if kind.is_configured(options) and (table,) in options:
                yield config.problem(
                    kind.configured_by[0],
                    f"ignored: {kind.name} cannot be built with {table.replace('_', '-')}",
                    WARNING,
                )


def report(found: Findings, painter: Painter) -> str:
    """All problems, and a summary at the end."""
    return "\n\n".join((*map(painter.text, found.problems), "\n".join(_summary(found))))


def _summary(found: Findings) -> Iterator[str]:
    images = f"{', '.join(found.images)} ({found.architecture})"
    if not found.has_errors:
        yield f"{found.file} OK: {images}"
        yield f"host OK: {found.programs} programs found, enough disk space"
        return
    counts = [_count(found, severity) for severity in (ERROR, WARNING)]
    yield f"{' and '.join(filter(None, counts))}; checked {found.file} for {images}"
    if not found.is_host_complete:
        yield "host checks are incomplete until the configuration is valid"


def _count(found: Findings, severity: str) -> str:
    number = sum(problem.severity == severity for problem in found.problems)
    return f"{number} {severity}{'s' if number > 1 else ''}" if number else ""
