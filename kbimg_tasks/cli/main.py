"""The command `kbimg`: the interface of the existing tool, on the same graph as doit.

Exit statuses are the existing tool's: 0 when all went well, 1 when something failed, 2 when the
command's words are not understood.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path
from textwrap import indent
from typing import Any

from kbimg_tasks.cli import completion
from kbimg_tasks.session import request

IMAGES = tuple(name.replace("_", "-") for name in request.IMAGES)
BOOTED = ("vm-img", "pxe-img")
# What no machine starts, and where it goes instead.
NOT_BOOTED = {
    "upgrade-img": "an upgrade image is no disk, but what a node fills its other slot with "
    "(docs/upgrading.md); vm-img starts the same root file system",
    "admin-container": "a container engine starts the admin container (docs/containers.md)",
}
DESCRIPTION = "Makes images of KubeOS: of virtual machines, PXE, upgrades and the admin container."
FIRST = """first steps:
  kbimg check                           is kbimg.toml right, and this host?
  kbimg create -f kbimg.toml vm-img     build; the results are in scripts-auto
  kbimg boot                            start what was built, in QEMU
  kbimg help create                     what else there is to say
"""
VARIABLES = "NAME=VALUE"
OF_A_BUILD = ("out", "arch", "offline", "lock", "engine", "push", "cache", "store_gib")
MEMORY_MIB = 2048
FAILED, NOT_UNDERSTOOD = 1, 2
VERBOSITIES = (0, 1, 2)


class _Version(argparse.Action):
    """Prints the version of the installed package."""

    def __call__(self, parser: argparse.ArgumentParser, *_: Any) -> None:
        from importlib import metadata

        print(f"kbimg {metadata.version('kbimg')}")
        parser.exit()


def parser() -> argparse.ArgumentParser:
    """The command's words, and in `completer` of each what TAB offers for it."""
    top = argparse.ArgumentParser(
        prog="kbimg",
        description=DESCRIPTION,
        epilog=FIRST,
        allow_abbrev=False,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    top.add_argument(
        "-d",
        "--debug",
        action="store_true",
        help="with create: generate the scripts without execution",
    )
    top.add_argument("-V", "--version", action=_Version, nargs=0, help="print the version and exit")
    verbs = top.add_subparsers(dest="verb", metavar="COMMAND", required=True)

    create = verbs.add_parser(
        "create",
        help="create a new KubeOS image",
        allow_abbrev=False,
        description="Builds an image. What is made already is not made again.",
        epilog=_told(),
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    _configuration(create, is_required=True)
    create.add_argument(
        "-v",
        "--verbosity",
        type=int,
        choices=VERBOSITIES,
        default=1,
        help="as of doit: 2 shows all that programs print (default: %(default)s)",
    )
    create.add_argument("image", metavar="IMAGE_TYPE", choices=IMAGES, help=", ".join(IMAGES))
    _variables(create)

    judge = verbs.add_parser(
        "check",
        help="judge a configuration and this host",
        allow_abbrev=False,
        description="Judges a configuration and this host, builds nothing.",
    )
    _configuration(judge)
    judge.add_argument("--json", action="store_true", help="one JSON document, for programs")
    _variables(judge)

    start = verbs.add_parser(
        "boot",
        help="start a built image in QEMU, on this terminal",
        allow_abbrev=False,
        description="Starts what was built in QEMU, with the terminal as its serial line; what the "
        "machine changes is thrown away.",
    )
    _configuration(start)
    what: Any = start.add_argument(
        "variables",
        metavar="IMAGE_TYPE | NAME=VALUE",
        nargs="*",
        default=[],
        help=f"{' or '.join(BOOTED)} (the first unless it is named), and what doit takes: out=DIR, "
        "arch=aarch64",
    )
    what.completer = lambda prefix, **_: [*BOOTED, *completion.variables(prefix)]
    start.add_argument(
        "--ssh-port",
        type=int,
        metavar="PORT",
        help="a port of this machine that leads to the node's ssh",
    )
    start.add_argument(
        "--memory",
        type=int,
        metavar="MIB",
        default=MEMORY_MIB,
        help="memory of the machine (default: %(default)s)",
    )

    plan = verbs.add_parser(
        "plan",
        help="write the scripts that build an image, and run nothing",
        allow_abbrev=False,
        description="Writes OUT/plan, the build as shell scripts, and runs nothing.",
    )
    _configuration(plan)
    plan.add_argument("image", metavar="IMAGE_TYPE", choices=IMAGES, help=", ".join(IMAGES))
    _variables(plan)

    diff = verbs.add_parser("diff", help="tell what changed between two images", add_help=False)
    diff.add_argument("files", nargs=argparse.REMAINDER)

    any_task = verbs.add_parser(
        "doit", help="doit with these tasks: kbimg doit list, clean, info, …", add_help=False
    )
    word: Any = any_task.add_argument("words", nargs=argparse.REMAINDER)
    word.completer = completion.tasks

    shell = verbs.add_parser(
        "completion",
        help="print what makes a shell complete kbimg's words",
        allow_abbrev=False,
        description='Prints shell code: eval "$(kbimg completion bash)" switches completion on.',
    )
    shell.add_argument(
        "shell", metavar="SHELL", choices=completion.SHELLS, help=" or ".join(completion.SHELLS)
    )

    helped = verbs.add_parser("help", help="print this message or the help of a command")
    helped.add_argument(
        "of",
        metavar="COMMAND",
        nargs="?",
        choices=tuple(verbs.choices),
        help="the command to tell of",
    )
    return top


def _told() -> str:
    images = "\n".join(f"{name:<16} {request.IMAGES[name.replace('-', '_')]}" for name in IMAGES)
    return "\n".join(
        f"{title}:\n{indent(rows, '  ')}\n"
        for title, rows in (("IMAGE_TYPE", images), (VARIABLES, request.listed(OF_A_BUILD)))
    )


def _configuration(verb: argparse.ArgumentParser, *, is_required: bool = False) -> None:
    file: Any = verb.add_argument(
        "-f",
        "--file",
        metavar="FILE",
        required=is_required,
        default="kbimg.toml",
        help=f"path of the TOML configuration{'' if is_required else ' (default: %(default)s)'}",
    )
    file.completer = completion.configurations


def _variables(verb: argparse.ArgumentParser) -> None:
    word: Any = verb.add_argument(
        "variables",
        metavar=VARIABLES,
        nargs="*",
        default=[],
        help="what doit takes: out=DIR, arch=aarch64, engine=none, …",
    )
    word.completer = completion.variables


def words_of(given: argparse.Namespace) -> list[str]:
    """A command's words, as doit takes them."""
    return [f"config={given.file}", *given.variables]


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command; its exit status."""
    understood, words = parser(), list(sys.argv[1:] if argv is None else argv)
    completion.answer_if_asked(understood)
    if not words:
        understood.print_help(sys.stderr)
        return NOT_UNDERSTOOD
    if words[:1] == ["diff"]:
        from kbimg_tasks.commands.diff import diff as image_diff

        return image_diff.main(words[1:])
    given = understood.parse_args(words)
    if given.verb == "boot":
        # argparse gives a word that may be absent to the first that comes.
        named = [word for word in given.variables if word in BOOTED]
        given.image = named[0] if named else BOOTED[0]
        given.variables = [word for word in given.variables if word not in named[:1]]
    for word in getattr(given, "variables", ()):
        if given.verb == "boot" and word in NOT_BOOTED:
            understood.error(NOT_BOOTED[word])
        if "=" not in word or word.startswith("-"):
            understood.error(f"unrecognized argument: {word} (expected {VARIABLES})")
    if given.verb == "help":
        asked = (
            ["--help"]
            if given.of is None
            else (["doit", "help"] if given.of == "doit" else [given.of, "--help"])
        )
        return main(asked)
    if given.debug and given.verb != "create":
        understood.error("-d goes with create")
    if given.verb == "completion":
        print(completion.code(given.shell))
        return 0
    # Late: the graph and its libraries take most of the time of a command that does little.
    from kbimg_tasks.tasks import loader

    if given.verb == "doit":
        return loader.run(given.words)
    if given.verb == "boot":
        return _boot(given)
    if given.verb == "check":
        task = ["check", *(["json=1"] if given.json else [])]
    elif given.verb == "plan" or given.debug:
        task = ["plan", f"image={given.image.replace('-', '_')}"]
    else:
        task = [f"--verbosity={given.verbosity}", given.image.replace("-", "_")]
    return FAILED if loader.run([*task, *words_of(given)]) else 0


def _boot(given: argparse.Namespace) -> int:
    from kbimg_tasks.commands.boot import boot
    from kbimg_tasks.session.session import Refused, started

    session = started([given.image.replace("-", "_"), *words_of(given)], Path.cwd())
    if isinstance(session, Refused):
        print("\n".join(map(str, session.problems)), file=sys.stderr)
        return FAILED
    asked = boot.Request(
        session.config, session.layout, session.asked.architecture, given.ssh_port, given.memory
    )
    start = boot.boot_disk if given.image == "vm-img" else boot.boot_installer
    try:
        return FAILED if start(asked, lambda line: print(line, file=sys.stderr)) else 0
    except boot.NotStarted as complaint:
        print(f"kbimg: {complaint}", file=sys.stderr)
        return FAILED


if __name__ == "__main__":
    sys.exit(main())
