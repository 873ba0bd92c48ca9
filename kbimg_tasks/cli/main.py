"""The command `kbimg`: the command line of legacy kbimg, on the same graph as doit.

Exit statuses are those of legacy kbimg: 0 for success, 1 for a failure, 2 for wrong arguments.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path
from textwrap import indent
from typing import Any

from kbimg_tasks.cli import completion
from kbimg_tasks.config.kind import Start
from kbimg_tasks.plan.kinds import KINDS
from kbimg_tasks.plan.kinds.kind import ImageKind
from kbimg_tasks.session import request
from kbimg_tasks.tools.user_error import UserError

DESCRIPTION = "Build KubeOS images: virtual machine, PXE, upgrade and admin container."
FIRST = """first steps:
  kbimg check                           validate kbimg.toml and check this host
  kbimg create -f kbimg.toml vm-img     build an image in scripts-auto
  kbimg boot                            boot the image in QEMU
  kbimg help create                     more options
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


def images() -> dict[str, ImageKind]:
    """The image kinds by their names on the command line."""
    return {kind.word: kind for kind in KINDS.values()}


def started_images() -> dict[str, ImageKind]:
    """The image kinds that boot in a virtual machine."""
    return {word: kind for word, kind in images().items() if kind.start}


def parser() -> argparse.ArgumentParser:
    """The parser of the command line; an argument's `completer` gives its values for tab
    completion."""
    kinds, started = images(), started_images()
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
        help="with create: write the build as shell scripts without running them",
    )
    top.add_argument("-V", "--version", action=_Version, nargs=0, help="print the version and exit")
    verbs = top.add_subparsers(dest="verb", metavar="COMMAND", required=True)

    create = verbs.add_parser(
        "create",
        help="build a KubeOS image",
        allow_abbrev=False,
        description="Build an image. Stages that are up to date are not built again.",
        epilog=_values(),
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    _configuration(create, is_required=True)
    create.add_argument(
        "-v",
        "--verbosity",
        type=int,
        choices=VERBOSITIES,
        default=1,
        help="2 shows the output of all programs (default: %(default)s)",
    )
    create.add_argument("image", metavar="IMAGE_TYPE", choices=kinds, help=", ".join(kinds))
    _variables(create)

    check = verbs.add_parser(
        "check",
        help="validate a configuration and check this host",
        allow_abbrev=False,
        description="Validate the configuration and this host without building.",
    )
    _configuration(check)
    check.add_argument("--json", action="store_true", help="print one JSON document")
    _variables(check)

    start = verbs.add_parser(
        "boot",
        help="boot a built image in QEMU, on this terminal",
        allow_abbrev=False,
        description="Boot a built image in QEMU, with this terminal as its serial console. Changes "
        "that the machine makes are discarded.",
    )
    _configuration(start)
    what: Any = start.add_argument(
        "variables",
        metavar="IMAGE_TYPE | NAME=VALUE",
        nargs="*",
        default=[],
        help=f"{' or '.join(started)} (default: {next(iter(started))}), and arguments such as "
        "out=DIR, arch=aarch64",
    )
    what.completer = lambda prefix, **_: [*started, *completion.variables(prefix)]
    start.add_argument(
        "--ssh-port",
        type=int,
        metavar="PORT",
        help="port of this host to forward to the SSH port of the machine",
    )
    start.add_argument(
        "--memory",
        type=int,
        metavar="MIB",
        default=MEMORY_MIB,
        help="memory of the machine in MiB (default: %(default)s)",
    )

    plan = verbs.add_parser(
        "plan",
        help="write the build of an image as shell scripts, without running them",
        allow_abbrev=False,
        description="Write the build of an image as shell scripts, in OUT/plan. Nothing is run.",
    )
    _configuration(plan)
    plan.add_argument("image", metavar="IMAGE_TYPE", choices=kinds, help=", ".join(kinds))
    _variables(plan)

    diff = verbs.add_parser("diff", help="show what changed between two images", add_help=False)
    diff.add_argument("files", nargs=argparse.REMAINDER)

    any_task = verbs.add_parser(
        "doit", help="run doit on these tasks: kbimg doit list, clean, info, …", add_help=False
    )
    word: Any = any_task.add_argument("words", nargs=argparse.REMAINDER)
    word.completer = completion.tasks

    shell = verbs.add_parser(
        "completion",
        help="print the code that enables tab completion in a shell",
        allow_abbrev=False,
        description='Print the code for tab completion; for bash: eval "$(kbimg completion bash)"',
    )
    shell.add_argument(
        "shell", metavar="SHELL", choices=completion.SHELLS, help=" or ".join(completion.SHELLS)
    )

    helped = verbs.add_parser("help", help="show this message or the help of a command")
    helped.add_argument(
        "of", metavar="COMMAND", nargs="?", choices=tuple(verbs.choices), help="command to describe"
    )
    return top


def _values() -> str:
    kinds = "\n".join(f"{word:<16} {kind.summary}" for word, kind in images().items())
    return "\n".join(
        f"{title}:\n{indent(rows, '  ')}\n"
        for title, rows in (("IMAGE_TYPE", kinds), (VARIABLES, request.listed(OF_A_BUILD)))
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
        help="arguments such as out=DIR, arch=aarch64, engine=none",
    )
    word.completer = completion.variables


def arguments_of(given: argparse.Namespace) -> list[str]:
    """The arguments of a command, in doit's form."""
    return [f"config={given.file}", *given.variables]


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command and return its exit status."""
    understood, argv = parser(), list(sys.argv[1:] if argv is None else argv)
    completion.answer_if_asked(understood)
    if not argv:
        understood.print_help(sys.stderr)
        return NOT_UNDERSTOOD
    if argv[:1] == ["diff"]:
        from kbimg_tasks.commands.diff import diff as image_diff

        return image_diff.main(argv[1:])
    given = understood.parse_args(argv)
    if given.verb == "boot":
        # argparse would assign the first value to the optional argument.
        started = started_images()
        named = [word for word in given.variables if word in started]
        given.image = named[0] if named else next(iter(started))
        given.variables = [word for word in given.variables if word not in named[:1]]
    for word in getattr(given, "variables", ()):
        if given.verb == "boot" and word in images():
            understood.error(images()[word].not_started)
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
        understood.error("-d is valid with create only")
    if given.verb == "completion":
        print(completion.code(given.shell))
        return 0
    # Imported late: the graph and its libraries would slow down the commands above.
    from kbimg_tasks.tasks import loader

    if given.verb == "doit":
        return loader.run(given.words)
    if given.verb == "boot":
        return _boot(given)
    if given.verb == "check":
        task = ["check", *(["json=1"] if given.json else [])]
    elif given.verb == "plan" or given.debug:
        task = ["plan", f"image={images()[given.image].name}"]
    else:
        task = [f"--verbosity={given.verbosity}", images()[given.image].name]
    return FAILED if loader.run([*task, *arguments_of(given)]) else 0


def _boot(given: argparse.Namespace) -> int:
    from kbimg_tasks.commands.boot import boot
    from kbimg_tasks.session.session import Refused, started

    kind = images()[given.image]
    session = started([kind.name, *arguments_of(given)], Path.cwd())
    if isinstance(session, Refused):
        print("\n".join(map(str, session.problems)), file=sys.stderr)
        return FAILED
    asked = boot.Request(
        session.config, session.layout, session.asked.architecture, given.ssh_port, given.memory
    )
    start = boot.boot_disk if kind.start == Start.DISK else boot.boot_installer
    try:
        return FAILED if start(asked, lambda line: print(line, file=sys.stderr)) else 0
    except UserError as error:
        print(f"kbimg: {error}", file=sys.stderr)
        return FAILED


if __name__ == "__main__":
    sys.exit(main())
