"""Debian's dependencies between packages, as requirements between the RPMs made of them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Callable

from kbimg_tasks.demo_repo.deb import Clause, Deb


def providers(debs: Iterable[Deb]) -> dict[str, str]:
    """The package for each name that others can depend on; a real package wins over a virtual
    one."""
    debs = sorted(debs, key=lambda deb: deb.name)
    found = {deb.name: deb.name for deb in debs}
    for deb in debs:
        for name in sorted(deb.provides):
            found.setdefault(name, deb.name)
    return found


def answer(clause: Clause, provider: Mapping[str, str]) -> str:
    """The package that meets a dependency: the first existing alternative, or ""."""
    return next((provider[name] for name in clause if name in provider), "")


def requirements(
    debs: Iterable[Deb],
    provider: Mapping[str, str],
    rpm_of: Mapping[str, str],
    is_left_out: Callable[[str], bool],
) -> tuple[str, ...]:
    """The RPMs that an RPM of these packages needs, sorted, without itself."""
    own: set[str] = set()
    needed: set[str] = set()
    for deb in debs:
        own.add(rpm_of[deb.name])
        for clause in deb.depends:
            name = answer(clause, provider)
            if name and not is_left_out(name):
                needed.add(rpm_of[name])
    return tuple(sorted(needed - own))
