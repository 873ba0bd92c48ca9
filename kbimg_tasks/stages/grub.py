"""What belongs on the EFI system partition: GRUB, its menu, and what goes with them."""

from __future__ import annotations

from typing import Optional, Tuple

from kbimg_tasks.ids import Ids
from kbimg_tasks.partitions import Table
from kbimg_tasks.sandbox import Sandbox
from kbimg_tasks.signing import SUFFIX, Keys
from kbimg_tasks.stage import (
    Arg,
    Artifact,
    Content,
    Data,
    Scratch,
    Secret,
    Stage,
    joined,
    run,
    tool,
)

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
# All that a verified GRUB needs: it loads no module at run time. Without pgp it verifies nothing,
# whatever key it holds.
VERIFIED_MODULES = ("normal", "configfile", "echo", "test", "true", "regexp", "sleep", "reboot",
                    "halt", "part_gpt", "fat", "ext2", "linux", "pgp", "gcry_rsa", "gcry_sha256",
                    "gcry_sha512", "password_pbkdf2", "memdisk", "tar")  # fmt: skip
VERIFIED_ARGUMENTS = f"{ARGUMENTS} console=ttyS0 apparmor=0"
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


def signed_loader(system: Artifact, keys: Keys, password: Secret, table: Table, ids: Ids,
                  clock: Arg) -> Stage:  # fmt: skip
    """The boot partition but for the menu: shim, MokManager, fallback and GRUB signed, and the
    certificates to enroll.

    GRUB carries its first commands, the password and the OpenPGP key in itself, and the SBAT
    generations of the distribution's GRUB, whose code it is.
    """
    name = "loader"
    esp, made, root = Artifact(name, "esp", is_tree=True), Scratch("made"), Scratch("root")
    inside = Sandbox(root=root, layers=(system,), binds=((made, "/mnt"),)).running_in()
    first = joined(made, "/first/grub")
    distributed = joined(system, VENDOR)
    boot, vendor = joined(esp, "/EFI/BOOT"), joined(esp, "/EFI/openEuler")
    shim = joined(distributed, "/shimx64.efi")
    mok = joined(distributed, "/mmx64.efi")
    return Stage(
        name, "shim and GRUB signed, with what GRUB carries in itself", clock, (esp,),
        steps=(
            run("mkdir", "--parents", first, boot, vendor),
            tool("fill", Data("verity/start.cfg"), joined(first, "/start.cfg"),
                 *_boot_numbers(table)),
            tool("grub_password", joined(first, "/user.cfg"),
                 f"--salt={ids.salt('grub', SALT_BYTES)}").fed(password),
            run("tar", "--create", "--file", joined(made, "/first.tar"), "--directory",
                joined(made, "/first"), "--format=ustar", "--sort=name", "--owner=0", "--group=0",
                "--mode=u=rw,go=", joined("--mtime=@", clock), "grub/start.cfg", "grub/user.cfg"),
            tool("take_section", "sbat", joined(distributed, "/grubx64.efi")).into(Scratch("sbat")),
            run("cp", Scratch("sbat"), joined(keys.folder, "/gpg.key"),
                Data("verity/embedded.cfg"), made),
            inside.wrap(run(
                "grub2-mkimage", "--format=x86_64-efi", "--prefix=(memdisk)/grub",
                "--config=/mnt/embedded.cfg", "--memdisk=/mnt/first.tar",
                "--pubkey=/mnt/gpg.key", "--sbat=/mnt/sbat",
                "--output=/mnt/grubx64.efi", *VERIFIED_MODULES)),
            keys.secure_boot(
                clock, (shim, joined(boot, "/BOOTX64.EFI")), (mok, joined(boot, "/mmx64.efi")),
                (joined(system, REMOVABLE, "/fbx64.efi"), joined(boot, "/fbx64.efi")),
                (shim, joined(vendor, "/shimx64.efi")), (mok, joined(vendor, "/mmx64.efi")),
                (joined(made, "/grubx64.efi"), joined(vendor, "/grubx64.efi"))),
            run("cp", joined(distributed, "/BOOTX64.CSV"), vendor),
            run("cp", joined(keys.folder, "/rsa4BIOS.der"), joined(esp, "/EFI")),
            tool("take_section", "vendor-certificates", shim, joined(esp, "/EFI")),
            run("cp", Data("verity/ESP-README.txt"), joined(esp, "/EFI/README.txt")),
        ),
    )  # fmt: skip


def signed_menu(root_hash: Artifact, keys: Keys, table: Table, ids: Ids, clock: Arg) -> Stage:
    """The menu, which names the root hash, and its signature."""
    name = "signed_menu"
    esp = Artifact(name, "esp", is_tree=True)
    menu = joined(esp, "/EFI/openEuler/grub.cfg")
    slot_a, slot_b = table.by_label("ROOT-A"), table.by_label("ROOT-B")
    return Stage(
        name, "GRUB's menu with the root hash, and its signature", clock, (esp,),
        steps=(
            tool("fill", Data("verity/grub.cfg"), menu, *_boot_numbers(table),
                 f"NUMBER_A={slot_a.number}", f"NUMBER_B={slot_b.number}",
                 f"ROOT_A={ids.uuid('ROOT-A')}", f"ROOT_B={ids.uuid('ROOT-B')}",
                 joined(f"ARGUMENTS={VERIFIED_ARGUMENTS} dmvroothash=", Content(root_hash))),
            keys.openpgp(clock, (menu, joined(menu, SUFFIX))),
        ),
    )  # fmt: skip


def _boot_numbers(table: Table) -> Tuple[str, ...]:
    return tuple(f"BOOT_{slot}={table.by_label(f'BOOT-{slot}').number}" for slot in "AB")
