"""Plans a verified image: its keys, its signed boot files, its hash tree, and its disk."""

from __future__ import annotations

from kbimg_tasks.config.model import Config
from kbimg_tasks.config.tables import DmVerity
from kbimg_tasks.machine.ids import Ids
from kbimg_tasks.machine.partitions import Table
from kbimg_tasks.plan.root import Given, MachinePlan, Root, from_packages, password
from kbimg_tasks.stages import archive, disk, filesystems, grub, keys, packages, signed, verity
from kbimg_tasks.stages.recipes.signing import Keys
from kbimg_tasks.steps.args import Artifact, Secret, UserFile
from kbimg_tasks.steps.stage import Stage
from kbimg_tasks.steps.target import Target

SLOT = "A"  # the slot that is filled on a new disk


def planned(
    config: Config, asked: DmVerity, given: Given, table: Table, ids: Ids
) -> tuple[Root, MachinePlan]:
    """The root file system with the stages of its keys, and the machine."""
    efi, grub_key = (
        Secret(f"dm_verity.{name}", secret.reveal() + "\n")
        for name, secret in (("efi_key", asked.efi_key), ("grub_key", asked.grub_key))
    )
    made: tuple[Stage, ...] = ()
    source: Artifact | UserFile
    if asked.keys_dir:
        source = UserFile(asked.keys_dir)
    else:
        made = (keys.kept(efi, grub_key, asked.cert_years),)
        source = made[0]["keys"]
    opened = keys.checked(source, efi, grub_key)
    found = Keys(opened["keys"], efi, grub_key)
    root = from_packages(config, given, table, ids, found)
    chosen = root.stages[0]
    needed = verity.programs(packages.files(chosen), root.architecture)
    return root, machine(config, root, table, ids, found, (*made, opened, chosen, needed))


def machine(
    config: Config, root: Root, table: Table, ids: Ids, found: Keys, checks: tuple[Stage, ...]
) -> MachinePlan:
    """The disk with slot A filled, and the images of the three partitions of a slot."""
    clock, secret = root.clock, password(config)
    assert secret is not None
    tree = filesystems.root_image(root.tree, table.by_label(f"ROOT-{SLOT}"), ids, clock)
    image = tree["update-root.img"]
    hashes = verity.hash_tree(image, table.by_label(f"HASH-{SLOT}"), ids, clock)
    loader = grub.signed_loader(
        root.system, found, secret, Target(root.architecture, table, ids, clock)
    )
    menu = grub.signed_menu(hashes["root-hash"], root.architecture, found, table, ids, clock)
    boot = filesystems.boot_image(
        (menu["esp"], loader["esp"]), table.by_label(f"BOOT-{SLOT}"), ids, clock
    )
    verified = signed.signatures(boot["update-boot.img"], image, root.architecture, found)
    persist = filesystems.persist(table.by_label("PERSIST"), config.persist_mkdir.name, ids, clock)
    slot: dict[str, Artifact] = {
        "BOOT": boot["update-boot.img"],
        "ROOT": image,
        "HASH": hashes["update-hash.img"],
    }
    images = {f"{part}-{SLOT}": file for part, file in slot.items()}
    checked = (verified["signatures"],)
    img = disk.system_img(
        table, {**images, "PERSIST": persist["persist.img"]}, ids, clock, checked=checked
    )
    qcow2 = disk.system_qcow2(img)
    return MachinePlan(
        (tree, hashes, loader, menu, boot, verified, persist, img, qcow2, archive.checksum(qcow2)),
        archive.checksum(img),
        {file.name: file for file in slot.values()},
        checks,
        checked,
    )
