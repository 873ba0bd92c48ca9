"""The steps that make an ext4 file system in a file, alone or at its place in a disk image."""

from __future__ import annotations

from collections.abc import Iterator

from attrs import frozen

from kbimg_tasks.machine.ids import Ids
from kbimg_tasks.machine.partitions import Partition
from kbimg_tasks.steps.args import Arg, Artifact, data, joined, scratch
from kbimg_tasks.steps.sandbox import Sandbox, nosync
from kbimg_tasks.steps.step import Step, run, tool
from kbimg_tasks.tools.units import MIB


@frozen
class Filling:
    """What a file system is filled with: a folder of the stage, or `below` of a mounted tree."""

    folder: Arg
    tree: Sandbox | None = None
    below: str = ""

    @property
    def copied(self) -> Arg:
        """The folder whose content is copied."""
        return joined(self.folder, self.below) if self.below else self.folder


def tree_below(tree: Sandbox, below: str = "") -> Filling:
    """The whole tree, or the folder `below` of it."""
    return Filling(tree.root, tree, below)


def ext4(
    image: Artifact,
    partition: Partition,
    ids: Ids,
    clock: Arg,
    filling: Filling | None = None,
    *,
    in_disk: bool = False,
) -> Iterator[Step]:
    """The steps that make a file system of the partition's size, filled or empty.

    With `in_disk`, `image` is a whole disk and the file system is made at the start of the
    partition, which avoids writing it twice. The bytes do not depend on the time and the host: the
    UUID and hash seed are given, and the times that mke2fs takes from the clock or the source are
    set afterwards.
    """
    number = ids.uuid(f"filesystem/{partition.label}")
    environment = {"E2FSPROGS_FAKE_TIME": clock, "SOURCE_DATE_EPOCH": clock}
    offset = partition.start_mib * MIB
    place = f",offset={offset}" if in_disk else ""
    tree = filling.tree if filling else None
    source = ("-d", filling.copied) if filling else ()
    make = run(
        "mke2fs",
        "-q",
        "-F",
        "-t",
        "ext4",
        "-m",
        "0",
        "-L",
        partition.label,
        "-U",
        number,
        "-E",
        f"nodiscard,hash_seed={number},root_owner=0:0{place}",
        *source,
        image,
        f"{partition.size_mib}M",
        MKE2FS_CONFIG=data("mke2fs.conf"),
        **environment,
    )
    if filling and tree and not filling.below:
        make = make.growing(image, *tree.layers)
    # libext2fs takes the offset after the name of the file.
    made: Arg = joined(image, f"?offset={offset}") if in_disk else image
    groups, commands = scratch("groups"), scratch("debugfs-commands")
    yield nosync(tree.wrap(make) if tree else make)
    yield run("dumpe2fs", made).into(groups)
    yield tool("ext4_times", groups, joined("--clock=", clock)).into(commands)
    set_times = run("debugfs", "-w", "-f", commands, made, **environment)
    yield nosync(set_times).into(scratch("debugfs-log"))
