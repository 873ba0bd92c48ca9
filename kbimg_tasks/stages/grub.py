"""GRUB, its grub.cfg and environment, and the signed boot files of verified images."""

from __future__ import annotations

import os.path

from kbimg_tasks.machine.architecture import Architecture
from kbimg_tasks.machine.bootloader import REMOVABLE, VENDOR, Loader
from kbimg_tasks.machine.ids import Ids
from kbimg_tasks.machine.partitions import Table
from kbimg_tasks.stages.recipes.signing import Keys
from kbimg_tasks.steps.args import Arg, Artifact, Content, Secret, data, joined, scratch
from kbimg_tasks.steps.sandbox import Sandbox
from kbimg_tasks.steps.stage import Stage
from kbimg_tasks.steps.step import run, tool
from kbimg_tasks.steps.target import Target
from kbimg_tasks.tools.trust_names import DER, SIGNATURE

ARGUMENTS = (
    "ro rootfstype=ext4 nomodeset quiet oops=panic softlockup_panic=1 nmi_watchdog=1 rd.shell=0 "
    "selinux=0 crashkernel=256M panic=3"
)
# All modules of a verified GRUB: it loads none at run time. Without pgp it verifies nothing, even
# with a key in its image.
VERIFIED_MODULES = (
    "normal",
    "configfile",
    "echo",
    "test",
    "true",
    "regexp",
    "sleep",
    "reboot",
    "halt",
    "part_gpt",
    "fat",
    "ext2",
    "linux",
    "pgp",
    "gcry_rsa",
    "gcry_sha256",
    "gcry_sha512",
    "password_pbkdf2",
    "memdisk",
    "tar",
)
SALT_BYTES = 64


def grub(rootfs: Stage, loader: Loader, password: Secret | None, target: Target) -> Stage:
    """The layer with GRUB, its modules, grub.cfg and environment, over the installed tree."""
    name = "grub"
    layer, root = Artifact(name, "layer", is_tree=True), scratch("root")
    tree = Sandbox(root=root, layers=(rootfs["rootfs"],), upper=layer)
    inside = tree.running_in(target.architecture)
    folders = dict.fromkeys((loader.folder, *map(os.path.dirname, loader.copies)))
    slots = {slot: target.table.by_label(f"ROOT-{slot}") for slot in "AB"}
    steps = [
        inside.wrap(run("mkdir", "--parents", *folders)),
        inside.wrap(run("cp", "--recursive", f"/usr/lib/grub/{loader.format}", loader.folder)),
        inside.wrap(
            run(
                "grub2-mkimage",
                f"--format={loader.format}",
                f"--prefix={loader.prefix}",
                f"--output={loader.image}",
                *loader.modules,
            )
        ),
        *(inside.wrap(run("cp", loader.image, copy)) for copy in loader.copies),
        inside.wrap(run("grub2-editenv", loader.environment, "create")),
        inside.wrap(run("grub2-editenv", loader.environment, "set", "saved_entry=A")),
        tree.wrap(
            tool(
                "fill",
                data("grub/grub.cfg"),
                joined(root, loader.menu),
                f"PARTITIONS={loader.partitions}",
                *(f"SLOT_{slot}={loader.slot(part.number)}" for slot, part in slots.items()),
                *(f"ROOT_{slot}={target.ids.partuuid(part.label)}" for slot, part in slots.items()),
                f"ARGUMENTS={ARGUMENTS}",
            )
        ),
    ]
    if password:
        steps.append(
            tree.wrap(
                tool(
                    "grub_password",
                    joined(root, loader.folder, "/user.cfg"),
                    f"--salt={target.ids.salt('grub', SALT_BYTES)}",
                ).fed(password)
            )
        )
    return Stage(name, "GRUB with its grub.cfg and grubenv", target.clock, (layer,), tuple(steps))


def signed_loader(system: Artifact, keys: Keys, password: Secret, target: Target) -> Stage:
    """The boot partition without grub.cfg: signed shim, MokManager, fallback and GRUB, and the
    certificates to enroll.

    GRUB's image contains its first commands, the password, the OpenPGP key, and the SBAT
    generations of the distribution's GRUB, because it is made of the same code.
    """
    architecture, table = target.architecture, target.table
    ids, clock = target.ids, target.clock
    name = "loader"
    esp, made, root = Artifact(name, "esp", is_tree=True), scratch("made"), scratch("root")
    inside = Sandbox(root=root, layers=(system,), binds=((made, "/mnt"),)).running_in(architecture)
    first = joined(made, "/first/grub")
    distributed = joined(system, VENDOR)
    boot, vendor = joined(esp, "/EFI/BOOT"), joined(esp, "/EFI/openEuler")
    shim_name, mok_name, fallback_name, grub_name = map(
        architecture.efi_program, ("shim", "mm", "fb", "grub")
    )
    shim, mok = joined(distributed, "/", shim_name), joined(distributed, "/", mok_name)
    return Stage(
        name,
        "signed shim and GRUB, with the configuration embedded in GRUB",
        clock,
        (esp,),
        steps=(
            run("mkdir", "--parents", first, boot, vendor),
            tool(
                "fill", data("verity/start.cfg"), joined(first, "/start.cfg"), *_boot_numbers(table)
            ),
            tool(
                "grub_password",
                joined(first, "/user.cfg"),
                f"--salt={ids.salt('grub', SALT_BYTES)}",
            ).fed(password),
            run(
                "tar",
                "--create",
                "--file",
                joined(made, "/first.tar"),
                "--directory",
                joined(made, "/first"),
                "--format=ustar",
                "--sort=name",
                "--owner=0",
                "--group=0",
                "--mode=u=rw,go=",
                joined("--mtime=@", clock),
                "grub/start.cfg",
                "grub/user.cfg",
            ),
            tool("take_section", "sbat", joined(distributed, "/", grub_name)).into(scratch("sbat")),
            run(
                "cp",
                scratch("sbat"),
                joined(keys.folder, "/gpg.key"),
                data("verity/embedded.cfg"),
                made,
            ),
            inside.wrap(
                run(
                    "grub2-mkimage",
                    f"--format={architecture.grub_format}",
                    "--prefix=(memdisk)/grub",
                    "--config=/mnt/embedded.cfg",
                    "--memdisk=/mnt/first.tar",
                    "--pubkey=/mnt/gpg.key",
                    "--sbat=/mnt/sbat",
                    f"--output=/mnt/{grub_name}",
                    *VERIFIED_MODULES,
                )
            ),
            keys.secure_boot(
                clock,
                (shim, joined(boot, "/", architecture.removable)),
                (mok, joined(boot, "/", mok_name)),
                (joined(system, REMOVABLE, "/", fallback_name), joined(boot, "/", fallback_name)),
                (shim, joined(vendor, "/", shim_name)),
                (mok, joined(vendor, "/", mok_name)),
                (joined(made, "/", grub_name), joined(vendor, "/", grub_name)),
            ),
            run("cp", joined(distributed, "/", architecture.fallback_list), vendor),
            run("cp", joined(keys.folder, f"/{DER}"), joined(esp, "/EFI")),
            tool("take_section", "vendor-certificates", shim, joined(esp, "/EFI")),
            run("cp", data("verity/ESP-README.txt"), joined(esp, "/EFI/README.txt")),
        ),
    )


def signed_menu(
    root_hash: Artifact, architecture: Architecture, keys: Keys, table: Table, ids: Ids, clock: Arg
) -> Stage:
    """grub.cfg with the root hash, and its signature."""
    name = "signed_menu"
    esp = Artifact(name, "esp", is_tree=True)
    menu = joined(esp, "/EFI/openEuler/grub.cfg")
    slot_a, slot_b = table.by_label("ROOT-A"), table.by_label("ROOT-B")
    arguments = f"{ARGUMENTS} console={architecture.serial} apparmor=0 dmvroothash="
    return Stage(
        name,
        "grub.cfg with the root hash, and its signature",
        clock,
        (esp,),
        steps=(
            tool(
                "fill",
                data("verity/grub.cfg"),
                menu,
                *_boot_numbers(table),
                f"NUMBER_A={slot_a.number}",
                f"NUMBER_B={slot_b.number}",
                f"ROOT_A={ids.partuuid('ROOT-A')}",
                f"ROOT_B={ids.partuuid('ROOT-B')}",
                joined(f"ARGUMENTS={arguments}", Content(root_hash)),
            ),
            keys.openpgp(clock, (menu, joined(menu, SIGNATURE))),
        ),
    )


def _boot_numbers(table: Table) -> tuple[str, ...]:
    return tuple(f"BOOT_{slot}={table.by_label(f'BOOT-{slot}').number}" for slot in "AB")
