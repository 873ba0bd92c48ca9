"""What belongs on the EFI system partition: GRUB, its modules, menu and environment."""

from __future__ import annotations

from typing import Optional

from kbimg_tasks.ids import Ids
from kbimg_tasks.partitions import Table
from kbimg_tasks.sandbox import Sandbox
from kbimg_tasks.stage import Arg, Artifact, Data, Scratch, Secret, Stage, joined, run, tool

VENDOR = "/boot/efi/EFI/openEuler"
REMOVABLE = "/boot/efi/EFI/BOOT"  # UEFI specification, 3.5.1.1: where firmware looks by itself
PREFIX = "(,gpt1)/EFI/openEuler"
ARGUMENTS = (
    "ro rootfstype=ext4 nomodeset quiet oops=panic softlockup_panic=1 nmi_watchdog=1 rd.shell=0 "
    "selinux=0 crashkernel=256M panic=3"
)
# Enough to read the menu and both slots; all else is loaded from the folder beside GRUB.
MODULES = ("part_gpt", "fat", "ext2", "normal", "configfile", "linux", "regexp", "loadenv",
           "test", "echo", "search", "boot", "reboot", "halt")  # fmt: skip
SALT_BYTES = 64


def grub(rootfs: Stage, table: Table, ids: Ids, password: Optional[Secret], clock: Arg) -> Stage:
    """GRUB for UEFI on x86-64, as a layer to put over the installed tree."""
    name = "grub"
    layer, root = Artifact(name, "layer", is_tree=True), Scratch("root")
    tree = Sandbox(root=root, layers=(rootfs["rootfs"],), upper=layer)
    inside = tree.running_in()
    image, environment = f"{VENDOR}/grubx64.efi", f"{VENDOR}/grubenv"
    slot_a, slot_b = table.by_label("ROOT-A"), table.by_label("ROOT-B")
    steps = [
        inside.wrap(run("mkdir", "--parents", VENDOR, REMOVABLE)),
        inside.wrap(run("grub2-mkimage", "--format=x86_64-efi", f"--prefix={PREFIX}",
                        f"--output={image}", *MODULES)),
        inside.wrap(run("cp", image, f"{REMOVABLE}/BOOTX64.EFI")),
        inside.wrap(run("cp", "--recursive", "/usr/lib/grub/x86_64-efi", VENDOR)),
        inside.wrap(run("grub2-editenv", environment, "create")),
        inside.wrap(run("grub2-editenv", environment, "set", "saved_entry=A")),
        tree.wrap(tool(
            "fill", Data("grub/grub.cfg"), joined(root, VENDOR, "/grub.cfg"),
            f"NUMBER_A={slot_a.number}", f"NUMBER_B={slot_b.number}",
            f"ROOT_A={ids.uuid('ROOT-A')}", f"ROOT_B={ids.uuid('ROOT-B')}",
            f"ARGUMENTS={ARGUMENTS}")),
    ]  # fmt: skip
    if password:
        steps.append(tree.wrap(tool(
            "grub_password", joined(root, VENDOR, "/user.cfg"),
            f"--salt={ids.salt('grub', SALT_BYTES)}").fed(password)))
    return Stage(name, "GRUB, its menu and environment for the ESP", clock, (layer,), tuple(steps))
