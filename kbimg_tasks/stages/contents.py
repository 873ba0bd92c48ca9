"""The lists next to an image: the packages in it, and the programs that built it."""

from __future__ import annotations

from collections.abc import Iterable

from attrs import frozen

from kbimg_tasks.steps.args import Arg, Artifact, Program, joined, scratch
from kbimg_tasks.steps.stage import Stage
from kbimg_tasks.steps.step import run, tool
from kbimg_tasks.tools import lock_format
from kbimg_tasks.tools.describe_packages import FIELDS

LIST, SBOM, PROGRAMS = "packages.txt", "sbom.cdx.json", "build-tools.json"
HEADERS = "\\t".join(f"%{{{field}}}" for field in FIELDS) + "\\n"


@frozen
class Subject:
    """The subject of an SBOM; `kind` is one of CycloneDX's component types."""

    kind: str
    name: str
    version: str = ""


def sbom(
    resolved: Stage, subject: Subject, clock: Arg, prefix: str = "", beside: str = ""
) -> Stage:
    """The package list and the SBOM, made from the resolved packages, without an installed tree.

    The name of the stage begins with `prefix`, and the names of its results with `beside`, to
    distinguish them from those of another image in the output directory.
    """
    name = f"{prefix}sbom"
    listed, document = (Artifact(name, f"{beside}{file}", is_result=True) for file in (LIST, SBOM))
    headers = scratch("headers")
    return Stage(
        name,
        f"the packages in it, as {beside}{{{LIST},{SBOM}}}"
        if beside
        else f"{LIST} and {SBOM}, the packages in it",
        clock,
        (listed, document),
        steps=(
            run(
                "rpm",
                "--query",
                "--nosignature",
                "--queryformat",
                HEADERS,
                "--package",
                resolved["packages.list"],
                HOME=scratch("home"),
            ).into(headers),
            tool(
                "describe_packages",
                headers,
                joined("--lock=", resolved[lock_format.NAME]),
                joined("--files=", resolved["packages.list"]),
                joined("--clock=", clock),
                f"--kind={subject.kind}",
                f"--name={subject.name}",
                f"--version={subject.version}",
                joined("--list=", listed),
                joined("--sbom=", document),
            ),
        ),
    )


def build_tools(programs: Iterable[Program], tree: Artifact) -> Stage:
    """The programs of this host that make the images, with their versions at the time when `tree`
    has been made, which all images contain."""
    name = "build_tools"
    made = Artifact(name, PROGRAMS, is_result=True)
    ordered: tuple[Program, ...] = tuple(sorted(programs, key=lambda one: one.names))
    return Stage(
        name,
        f"{made.name}, the versions of the programs that build",
        "0",
        (made,),
        steps=(tool("describe_programs", *ordered).into(made),),
        implicit_inputs=(tree,),
    )
