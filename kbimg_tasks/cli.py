"""The command `kbimg`: the interface of the existing tool, on the same graph as doit.

Exit statuses are the existing tool's: 0 when all went well, 1 when something failed, 2 when the
command's words are not understood.
"""

from __future__ import annotations

import argparse
import sys
from importlib import metadata
from pathlib import Path
from typing import List, Optional, Sequence

from kbimg_tasks import __main__ as graph_of_doit
from kbimg_tasks import boot, image_diff
from kbimg_tasks.session import Session

IMAGES = ("vm-img", "pxe-img", "upgrade-img", "admin-container")
BOOTED = ("vm-img", "pxe-img")
DESCRIPTION = "Makes images of KubeOS: of virtual machines, PXE, upgrades and the admin container."
VARIABLES = "NAME=VALUE"
FAILED = 1
VERBOSITIES = (0, 1, 2)


def version() -> str:
    """The version of the installed package."""
    return metadata.version("kbimg")


def parser() -> argparse.ArgumentParser:
    """The command's words."""
    top = argparse.ArgumentParser(prog="kbimg", description=DESCRIPTION, allow_abbrev=False)
    top.add_argument("-d", "--debug", action="store_true",
                     help="with create: generate the scripts without execution")
    top.add_argument("-V", "--version", action="version", version=f"kbimg {version()}")
    verbs = top.add_subparsers(dest="verb", metavar="COMMAND", required=True)

    create = verbs.add_parser("create", help="create a new KubeOS image", allow_abbrev=False)
    _configuration(create, is_required=True)
    create.add_argument("-v", "--verbosity", type=int, choices=VERBOSITIES, default=1,
                        help="as of doit: 2 shows all that programs print (default: %(default)s)")
    create.add_argument("image", metavar="IMAGE_TYPE", choices=IMAGES, help=", ".join(IMAGES))
    _variables(create)

    start = verbs.add_parser(
        "boot", help="start a built image in QEMU, on this terminal", allow_abbrev=False,
        description="Starts what was built in QEMU, with the terminal as its serial line; what the "
                    "machine changes is thrown away.")
    _configuration(start)
    start.add_argument("variables", metavar="IMAGE_TYPE | NAME=VALUE", nargs="*", default=[],
                       help=f"{' or '.join(BOOTED)} (the first unless it is named), and what doit "
                            "takes: out=DIR, arch=aarch64")
    start.add_argument("--ssh-port", type=int, metavar="PORT",
                       help="a port of this machine that leads to the node's ssh")
    start.add_argument("--memory", type=int, metavar="MIB", default=boot.MEMORY_MIB,
                       help="memory of the machine (default: %(default)s)")

    plan = verbs.add_parser("plan", help="write the scripts that build an image, and run nothing",
                            allow_abbrev=False)
    _configuration(plan)
    plan.add_argument("image", metavar="IMAGE_TYPE", choices=IMAGES, help=", ".join(IMAGES))
    _variables(plan)

    judge = verbs.add_parser("check", help="judge a configuration and this host",
                             allow_abbrev=False)
    _configuration(judge)
    judge.add_argument("--json", action="store_true", help="one JSON document, for programs")
    _variables(judge)

    verbs.add_parser("diff", help="tell what changed between two images", add_help=False)

    any_task = verbs.add_parser(
        "doit", help="doit with these tasks: kbimg doit list, clean, info, …", add_help=False)
    any_task.add_argument("words", nargs=argparse.REMAINDER)

    helped = verbs.add_parser("help", help="print this message or the help of a command")
    helped.add_argument("of", nargs="?", choices=tuple(verbs.choices))
    return top


def _configuration(verb: argparse.ArgumentParser, *, is_required: bool = False) -> None:
    verb.add_argument("-f", "--file", metavar="FILE", required=is_required, default="kbimg.toml",
                      help="path of the TOML configuration"
                           + ("" if is_required else " (default: %(default)s)"))


def _variables(verb: argparse.ArgumentParser) -> None:
    verb.add_argument("variables", metavar=VARIABLES, nargs="*", default=[],
                      help="what doit takes: out=DIR, arch=aarch64, engine=none, …")


def words_of(given: argparse.Namespace) -> List[str]:
    """A command's words, as doit takes them."""
    return [f"config={given.file}", *given.variables]


def main(argv: Optional[Sequence[str]] = None) -> int:
    """Run the command; its exit status."""
    understood, words = parser(), list(sys.argv[1:] if argv is None else argv)
    if words[:1] == ["diff"]:
        return image_diff.main(words[1:])
    given = understood.parse_args(words)
    if given.verb == "boot":
        # argparse gives a word that may be absent to the first that comes.
        named = [word for word in given.variables if word in BOOTED]
        given.image = named[0] if named else BOOTED[0]
        given.variables = [word for word in given.variables if word not in named[:1]]
    for word in getattr(given, "variables", ()):
        if "=" not in word or word.startswith("-"):
            understood.error(f"unrecognized argument: {word} (expected {VARIABLES})")
    if given.verb == "help":
        return main([given.of, "--help"] if given.of else ["--help"])
    if given.debug and given.verb != "create":
        understood.error("-d goes with create")
    if given.verb == "doit":
        return graph_of_doit.run(given.words)
    if given.verb == "boot":
        return _boot(given)
    if given.verb == "check":
        task = ["check", *(["json=1"] if given.json else [])]
    elif given.verb == "plan" or given.debug:
        task = ["plan", f"image={given.image.replace('-', '_')}"]
    else:
        task = [f"--verbosity={given.verbosity}", given.image.replace("-", "_")]
    return FAILED if graph_of_doit.run([*task, *words_of(given)]) else 0


def _boot(given: argparse.Namespace) -> int:
    session = Session.started([given.image.replace("-", "_"), *words_of(given)], Path.cwd())
    if session.refusals:
        print("\n".join(map(str, session.refusals)), file=sys.stderr)
        return FAILED
    asked = boot.Request(session.config, session.layout, session.asked.architecture,
                         given.ssh_port, given.memory)
    start = boot.boot_disk if given.image == "vm-img" else boot.boot_installer
    try:
        return FAILED if start(asked, lambda line: print(line, file=sys.stderr)) else 0
    except boot.NotStarted as complaint:
        print(f"kbimg: {complaint}", file=sys.stderr)
        return FAILED


if __name__ == "__main__":
    sys.exit(main())
