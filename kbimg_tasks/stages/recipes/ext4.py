"""The steps that make an ext4 file system in a file, alone or at its place in a disk image."""

from __future__ import annotations

from collections.abc import Iterator

from kbimg_tasks.machine.ids import Ids
from kbimg_tasks.machine.partitions import Partition
from kbimg_tasks.steps.sandbox import Sandbox, nosync
from kbimg_tasks.steps.stage import Arg, Artifact, Data, Scratch, Step, joined, run, tool
from kbimg_tasks.tools.units import MIB


def ext4(
    image: Artifact,
    partition: Partition,
    ids: Ids,
    clock: Arg,
    *,
    in_disk: bool = False,
    tree: Sandbox | None = None,
    below: str = "",
    folder: Scratch | None = None,
) -> Iterator[Step]:
    """The steps that make a file system of the partition's size from a tree or a folder, or an
    empty one. With `below`, only that folder of the tree is copied.

    With `in_disk`, `image` is a whole disk and the file system is made at the start of the
    partition, which avoids writing it twice. The bytes do not depend on the time and the host: the
    UUID and hash seed are given, and the times that mke2fs takes from the clock or the source are
    set afterwards.
    """
    number = ids.uuid(f"filesystem/{partition.label}")
    environment = {"E2FSPROGS_FAKE_TIME": clock, "SOURCE_DATE_EPOCH": clock}
    offset = partition.start_mib * MIB
    place = f",offset={offset}" if in_disk else ""
    source: Arg | None = (
        joined(tree.root, below) if tree and below else (tree.root if tree else folder)
    )
    filling = ("-d", source) if source else ()
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
        *filling,
        image,
        f"{partition.size_mib}M",
        MKE2FS_CONFIG=Data("mke2fs.conf"),
        **environment,
    )
    if tree and not below:
        make = make.growing(image, *tree.layers)
        # libext2fs takes the offset after the name of the file.
    made: Arg = joined(image, f"?offset={offset}") if in_disk else image
    groups, commands = Scratch("groups"), Scratch("debugfs-commands")
    yield nosync(tree.wrap(make) if tree else make)
    yield run("dumpe2fs", made).into(groups)
    yield tool("ext4_times", groups, joined("--clock=", clock)).into(commands)
    set_times = run("debugfs", "-w", "-f", commands, made, **environment)
    yield nosync(set_times).into(Scratch("debugfs-log"))
