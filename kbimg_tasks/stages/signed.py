"""Signs the boot files in the root file system that GRUB and the firmware verify, and verifies them
in the finished images."""

from __future__ import annotations

from collections.abc import Iterator

from kbimg_tasks.machine.architecture import Architecture
from kbimg_tasks.stages.recipes.signing import Keys, verify
from kbimg_tasks.steps.args import Arg, Artifact, joined, scratch
from kbimg_tasks.steps.sandbox import Sandbox
from kbimg_tasks.steps.stage import Stage
from kbimg_tasks.steps.step import Step, run
from kbimg_tasks.tools.trust_names import SIGNATURE

KERNEL, INITRAMFS = "/boot/vmlinuz", "/boot/initramfs.img"
MENU = "openEuler/grub.cfg"


def boot_files(rootfs: Stage, initramfs: Stage, keys: Keys, clock: Arg) -> Stage:
    """The layer with the kernel, signed for Secure Boot, and the signatures of kernel and initramfs
    for GRUB."""
    name = "signed_kernel"
    layer, root = Artifact(name, "layer", is_tree=True), scratch("root")
    tree = Sandbox(root=root, layers=(rootfs["rootfs"], initramfs["layer"]), upper=layer)
    kernel, ramdisk = joined(root, KERNEL), joined(root, INITRAMFS)
    return Stage(
        name,
        "the signed kernel, and GRUB's signatures of it and of the initramfs",
        clock,
        (layer,),
        steps=(
            tree.wrap(keys.secure_boot(clock, (joined(rootfs["rootfs"], KERNEL), kernel))),
            tree.wrap(
                keys.openpgp(
                    clock,
                    (kernel, joined(kernel, SIGNATURE)),
                    (ramdisk, joined(ramdisk, SIGNATURE)),
                )
            ),
        ),
    )


def _programs(architecture: Architecture) -> Iterator[str]:
    """The UEFI programs on the boot partition, below EFI."""
    yield f"BOOT/{architecture.removable}"
    for folder, names in (("BOOT", ("fb", "mm")), ("openEuler", ("grub", "mm", "shim"))):
        for name in names:
            yield f"{folder}/{architecture.efi_program(name)}"


def signatures(boot: Artifact, root: Artifact, architecture: Architecture, keys: Keys) -> Stage:
    """Verifies every signature in the finished images, on the bytes that a node reads."""
    name = "signatures"
    report = Artifact(name, "signatures")
    folder = scratch("files")
    steps: tuple[Step, ...] = (run("mkdir", folder),)
    steps += (run("mcopy", "-s", "-i", boot, "::/EFI", folder),)
    for path in (KERNEL, KERNEL + SIGNATURE, INITRAMFS, INITRAMFS + SIGNATURE):
        place = joined(folder, path.replace("/boot", ""))
        steps += (run("debugfs", "-R", joined("dump ", path, " ", place), root),)
    programs = tuple(joined(folder, f"/EFI/{program}") for program in _programs(architecture))
    kernel = joined(folder, KERNEL.replace("/boot", ""))
    ramdisk = joined(folder, INITRAMFS.replace("/boot", ""))
    steps += (
        verify(
            keys.folder, (*programs, kernel), (joined(folder, f"/EFI/{MENU}"), kernel, ramdisk)
        ).into(report),
    )
    return Stage(name, "check every signature of the images as a node does", "0", (report,), steps)
