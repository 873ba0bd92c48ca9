"""File systems made as files: no loop device, no mount, no driver of the host's kernel."""

from __future__ import annotations

from pathlib import PurePosixPath
from typing import Iterator, Optional, Tuple

from kbimg_tasks.ids import Ids
from kbimg_tasks.partitions import Partition
from kbimg_tasks.sandbox import Sandbox
from kbimg_tasks.stage import Arg, Artifact, Data, Scratch, Stage, Step, joined, run, tool

# The folders that the units and os-agent count on.
PERSIST_FOLDERS = ("var", "etc", "etcwork", "opt", "optwork", "etc/KubeOS/certs")


def esp(tree: Sandbox, partition: Partition, ids: Ids, clock: Arg) -> Stage:
    """The EFI system partition: FAT, with all that the tree has below /boot/efi."""
    name = "esp"
    image = Artifact(name, "esp.img")
    kib = str(partition.size_mib * 1024)
    return Stage(
        name, f"the ESP, {partition.size_mib} MiB of FAT", clock, (image,),
        steps=(
            run("mkfs.vfat", "--invariant", "-i", ids.fat_volume(partition.label),
                "-n", partition.label, "-C", image, kib, SOURCE_DATE_EPOCH=clock),
            tree.wrap(tool("fill_fat", image, joined(tree.root, "/boot/efi"),
                           SOURCE_DATE_EPOCH=clock).using("mmd", "mcopy")),
        ),
    )  # fmt: skip


def root_a(tree: Sandbox, partition: Partition, ids: Ids, clock: Arg) -> Stage:
    """Slot A: the root tree in an ext4 file system."""
    name = "root_a"
    image = Artifact(name, "root-a.img", holds_tree=True)
    measure = tool("measure_tree", tree.root, f"--root-mib={partition.size_mib}")
    return Stage(
        name, f"slot A, {partition.size_mib} MiB of ext4 with the root tree", clock, (image,),
        steps=(tree.wrap(measure),
               *_ext4(image, partition, ids, clock, tree=tree)),
    )  # fmt: skip


def root_b(partition: Partition, ids: Ids, clock: Arg) -> Stage:
    """Slot B: empty, for the first upgrade to fill."""
    name = "root_b"
    image = Artifact(name, "root-b.img")
    return Stage(name, f"slot B, {partition.size_mib} MiB of empty ext4", clock, (image,),
                 tuple(_ext4(image, partition, ids, clock)))  # fmt: skip


def persist(partition: Partition, folders: Tuple[str, ...], ids: Ids, clock: Arg) -> Stage:
    """PERSIST: the folders that the units mount, and the user's `persist_mkdir`."""
    name = "persist"
    image, top = Artifact(name, "persist.img"), Scratch("tree")
    parents = {str(above) for folder in (*PERSIST_FOLDERS, *folders)
               for above in (PurePosixPath(folder), *PurePosixPath(folder).parents)}
    paths = [joined(top, "/", folder) for folder in sorted(parents)]
    return Stage(
        name, f"PERSIST, {partition.size_mib} MiB of ext4 with its folders", clock, (image,),
        steps=(
            run("mkdir", "--parents", *paths),
            run("touch", joined("--date=@", clock), *paths),
            *_ext4(image, partition, ids, clock, folder=top),
        ),
    )  # fmt: skip


def _ext4(image: Artifact, partition: Partition, ids: Ids, clock: Arg, *,
          tree: Optional[Sandbox] = None,
          folder: Optional[Scratch] = None) -> Iterator[Step]:  # fmt: skip
    """An ext4 image, empty or filled, in which no byte depends on when and where it was made."""
    number = ids.uuid(f"filesystem/{partition.label}")
    environment = {"E2FSPROGS_FAKE_TIME": clock, "SOURCE_DATE_EPOCH": clock}
    source: Optional[Arg] = tree.root if tree else folder
    filling = ("-d", source) if source else ()
    make = run(
        "mke2fs", "-q", "-F", "-t", "ext4", "-m", "0", "-L", partition.label, "-U", number,
        "-E", f"hash_seed={number},root_owner=0:0", *filling, image, f"{partition.size_mib}M",
        MKE2FS_CONFIG=Data("mke2fs.conf"), **environment,
    )  # fmt: skip
    groups, commands = Scratch("groups"), Scratch("debugfs-commands")
    yield tree.wrap(make) if tree else make
    yield run("dumpe2fs", image).into(groups)
    yield tool("ext4_times", groups, joined("--clock=", clock)).into(commands)
    yield run("debugfs", "-w", "-f", commands, image, **environment).into(Scratch("debugfs-log"))
