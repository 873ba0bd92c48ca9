"""The tasks that build no image: check, plan, report, reproduce, the store and others."""

from __future__ import annotations

import os
import time
from collections.abc import Iterable, Iterator
from functools import partial
from typing import Any

from kbimg_tasks.build import lock_file, store
from kbimg_tasks.commands import check, pxe_serve
from kbimg_tasks.commands.reproduce.reproduce import reproduce
from kbimg_tasks.commands.scripts import folder
from kbimg_tasks.diagnostics import show, terminal
from kbimg_tasks.plan.kinds import DEFAULT_IMAGE, KINDS, pxe_img
from kbimg_tasks.session import request
from kbimg_tasks.session.request import WRITE_LOCK
from kbimg_tasks.stages import contents
from kbimg_tasks.steps.stage import Stage
from kbimg_tasks.tasks import stages as graph
from kbimg_tasks.tasks.command import Command
from kbimg_tasks.tasks.images import warn
from kbimg_tasks.tools import lock_format
from kbimg_tasks.tools.units import GIB
from kbimg_tasks.tools.user_error import UserError


def tasks(command: Command) -> Iterator[dict[str, Any]]:
    """The tasks of these commands."""
    plan = command.plan
    yield graph.note(
        "check",
        "validate the configuration and this host without building",
        partial(_check, command),
        is_aside=True,
    )
    yield graph.note(
        "arguments",
        "list the arguments NAME=VALUE",
        partial(_list_arguments, command),
        is_aside=True,
    )
    yield graph.note(
        "plan",
        "write scripts that build image=, without running them",
        partial(_plan, command),
        is_aside=True,
    )
    yield graph.note(
        "report",
        "write report.html about the current state of the build",
        partial(_report, command),
        [word for word in command.words if word in plan.images],
        is_aside=True,
    )
    yield graph.note(
        "pxe_serve",
        "serve the results of pxe_img by HTTP on address=IP[:PORT], with boot menus",
        partial(_serve, command),
        _names(plan.images.get(pxe_img.KIND.name, ())),
    )
    yield graph.note(
        WRITE_LOCK,
        "write the exact packages to lock=FILE, for use by later builds",
        partial(_write_lock, command),
        [name for name in _names(plan.stages) if name == "packages"],
    )
    yield graph.note(
        "reproduce",
        "build vm_img twice and show the files that differ",
        partial(_reproduce, command),
        _names(_kept(command)),
    )
    yield graph.note(
        "store", "list the stages in the store, with sizes", partial(_show_store, command)
    )
    yield graph.note(
        "prune",
        "delete stages from the store until store_gib= is met, least recently used first",
        partial(_prune_store, command),
    )


def _names(stages: Iterable[Stage]) -> tuple[str, ...]:
    return tuple(stage.name for stage in stages)


def _kept(command: Command) -> tuple[Stage, ...]:
    """The protected stages."""
    return tuple(stage for stage in command.plan.stages if stage.protected)


def _check(command: Command) -> None:
    found = check.check(command.asked)
    stream = command.display.screen.stream
    painter = show.Painter(terminal.may_colour(stream, os.environ))
    text = show.document(found.problems) if command.asked.is_json else check.report(found, painter)
    command.display.say(terminal.writable(text, stream))
    if found.has_errors:
        raise UserError("")


def _list_arguments(command: Command) -> None:
    command.display.say(request.listed())


def _plan(command: Command) -> None:
    planned = command.planned
    warn(command)
    image = command.asked.image
    script = folder.write(image, KINDS[image].summary, planned.plan.in_order(image), command.layout)
    command.display.say(f"as root: KBIMG_OUT=DIR sh {script}")


def _show_store(command: Command) -> None:
    command.display.say(store.table(command.layout))


def _prune_store(command: Command) -> None:
    for entry in store.prune(command.layout):
        command.display.say(f"deleted {entry.folder}, {entry.allocated_bytes / GIB:.2f} GiB")


def _reproduce(command: Command) -> None:
    results = sorted(
        (
            artifact.name
            for stage in command.plan.images[DEFAULT_IMAGE]
            for artifact in stage.artifacts
            if artifact.is_result and artifact.name != contents.PROGRAMS
        ),
        key=_by_detail,
    )
    kept = tuple(
        command.layout.published(artifact)
        for stage in _kept(command)
        for artifact in stage.artifacts
    )
    reproduce(DEFAULT_IMAGE, tuple(results), kept, command.asked, command.display.say)


def _by_detail(result: str) -> tuple[bool, str]:
    """Sort key: results that are compared by file come before those compared by block."""
    return not result.endswith(".tar"), result


def _write_lock(command: Command) -> None:
    asked = command.asked
    if "packages" not in _names(command.plan.stages):
        raise UserError(f"{asked.config}: write_lock needs a table [from_repo]")
    lock_file.write(asked.lock, command.layout.stage("packages") / lock_format.NAME)
    command.display.say(f"wrote {asked.lock}")


def _serve(command: Command) -> None:
    asked, pxe = command.asked, command.planned.config.pxe_config
    if pxe is None:
        raise UserError(f"{asked.config}: pxe_serve needs a table [pxe_config]")
    address = asked.address or pxe.server_ip
    try:
        pxe_serve.serve(
            command.layout.out, pxe.rootfs_name, address, asked.architecture, command.display.say
        )
    except OSError as error:
        raise UserError(
            f"cannot serve on {address}: {os.strerror(error.errno or 0)}",
            "choose another with address=IP[:PORT]",
        ) from error


def _report(command: Command) -> None:
    # Imported late: with Jinja2 they would slow down every command.
    from kbimg_tasks.commands.report import gathering, page

    planned = command.planned
    # An engine that stages depend on is asked only when they are built.
    images = [image for image in planned.plan.images if not KINDS[image].may_need_engine]
    try:
        command.layout.out.mkdir(parents=True, exist_ok=True)
        page.write(
            gathering.report(
                planned.config,
                planned.plan,
                images,
                command.layout,
                str(command.asked.config),
                time.time(),
            ),
            command.layout,
        )
    except OSError as error:
        raise UserError(f"report: {error.strerror}: {error.filename}") from error
    command.display.say(f"wrote {command.layout.report}")
