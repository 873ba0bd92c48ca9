"""The tasks that make no image: about the store, about a build as a whole, about what it made."""

from __future__ import annotations

import os
import time
from functools import partial
from typing import Any, Dict, Iterable, Iterator, Tuple

from kbimg_tasks import (
    check,
    diagnostics,
    graph,
    lock_file,
    plan_folder,
    pxe_serve,
    recovery,
    store,
    variables,
)
from kbimg_tasks.reproduce import NotEqual, reproduce
from kbimg_tasks.session import ADMIN, PXE, Session
from kbimg_tasks.stage import Stage
from kbimg_tasks.variables import DEFAULT_IMAGE, IMAGES, WRITE_LOCK


def tasks(session: Session) -> Iterator[Dict[str, Any]]:
    """One task for each."""
    planned = session.plan
    yield graph.note("check", "judge the configuration and this host, and build nothing",
                     partial(_check, session), is_aside=True)
    yield graph.note("words", "list the words NAME=VALUE that commands take",
                     partial(_list_words, session), is_aside=True)
    yield graph.note("plan", "write scripts that build image= by hand, and run none",
                     partial(_plan, session), is_aside=True)
    yield graph.note("report", "draw the build as it is now, in report.html",
                     partial(_report, session),
                     [word for word in session.words if word in planned.images], is_aside=True)
    yield graph.note("pxe_serve", "serve what pxe_img makes on address=IP[:PORT], with menus",
                     partial(_serve, session), _names(planned.images.get(PXE, ())))
    yield graph.note(WRITE_LOCK,
                     "write the exact packages to lock=FILE, for later builds to obey",
                     partial(_write_lock, session),
                     [name for name in _names(planned.stages) if name == "packages"])
    yield graph.note("reproduce", "build vm_img twice and compare, by file where they differ",
                     partial(_reproduce, session), _names(session.kept))
    yield graph.note("store", "list what all output directories share, with sizes",
                     partial(_show_store, session))
    yield graph.note("prune", "bring the store down to store_gib= GiB, oldest use first",
                     partial(_prune_store, session))


def _names(stages: Iterable[Stage]) -> Tuple[str, ...]:
    return tuple(stage.name for stage in stages)


def _check(session: Session) -> None:
    found = check.judge(session.asked)
    stream = session.display.stream
    painter = diagnostics.Painter(diagnostics.may_colour(stream, os.environ))
    text = (diagnostics.document(found.problems) if session.asked.is_json
            else check.report(found, painter))  # fmt: skip
    session.display.say(diagnostics.writable(text, stream))
    if found.has_errors:
        raise graph.Impossible("")


def _list_words(session: Session) -> None:
    session.display.say(variables.listed())


def _plan(session: Session) -> None:
    if session.refusals:
        raise graph.Impossible("\n".join(map(str, session.refusals)))
    session.warn()
    image = session.asked.image
    try:
        script = plan_folder.write(image, IMAGES[image], session.plan.in_order(image),
                                   session.layout)
    except (plan_folder.NotWritten, recovery.StillMounted) as complaint:
        raise graph.Impossible(str(complaint)) from complaint
    session.display.say(f"as root: KBIMG_OUT=DIR sh {script}")


def _show_store(session: Session) -> None:
    session.display.say(store.table(session.layout))


def _prune_store(session: Session) -> None:
    for entry in store.prune(session.layout):
        session.display.say(
            f"deleted {entry.folder}, {entry.allocated_bytes / store.GIB:.2f} GiB")


def _reproduce(session: Session) -> None:
    results = sorted((artifact.name for stage in session.plan.images[DEFAULT_IMAGE]
                      for artifact in stage.artifacts
                      if artifact.is_result and not artifact.tells_of_host), key=_telling)
    kept = tuple(session.layout.published(artifact) for stage in session.kept
                 for artifact in stage.artifacts)
    try:
        reproduce(DEFAULT_IMAGE, tuple(results), kept, session.asked, session.display.say)
    except (NotEqual, recovery.StillMounted) as complaint:
        raise graph.Impossible(str(complaint)) from complaint


def _telling(result: str) -> Tuple[bool, str]:
    """The order in which results tell most of a difference: by file, before by block."""
    return not result.endswith(".tar"), result


def _write_lock(session: Session) -> None:
    asked = session.asked
    if "packages" not in _names(session.plan.stages):
        raise graph.Impossible(f"{asked.config}: write_lock needs a table [from_repo]")
    lock_file.write(asked.lock, session.layout.stage("packages") / "packages.lock")
    session.display.say(f"wrote {asked.lock}")


def _serve(session: Session) -> None:
    asked, pxe = session.asked, session.config.pxe_config
    if pxe is None:
        raise graph.Impossible(f"{asked.config}: pxe_serve needs a table [pxe_config]")
    address = asked.address or pxe.server_ip
    try:
        pxe_serve.serve(session.layout.out, pxe.rootfs_name, address, asked.architecture,
                        session.display.say)
    except OSError as error:
        raise graph.Impossible(f"cannot serve on {address}: {os.strerror(error.errno or 0)}; "
                               "choose another with address=IP[:PORT]") from error


def _report(session: Session) -> None:
    # Late: they and Jinja2 would slow down every command.
    from kbimg_tasks.report import gathering, page

    if session.refusals:
        raise graph.Impossible("\n".join(map(str, session.refusals)))
    # The admin container's stages depend on an engine, which is asked when it is built.
    images = [image for image in session.plan.images if image != ADMIN]
    try:
        session.layout.out.mkdir(parents=True, exist_ok=True)
        page.write(gathering.report(session.config, session.plan, images, session.layout,
                                    str(session.asked.config), time.time()), session.layout)
    except OSError as error:
        raise graph.Impossible(f"report: {error.strerror}: {error.filename}") from error
    session.display.say(f"wrote {session.layout.report}")
