"""Rules about several options. Each rule is a function that returns all problems it finds.

`drafts` has the valid options of each table, so no rule reports an option that is invalid by
itself. `values` is the whole file as written, in which a table with an error is still present.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from typing import Any

from kbimg_tasks.config.kind import Kind
from kbimg_tasks.config.model import OF_THE_TREE, SOURCES
from kbimg_tasks.diagnostics.problem import Option
from kbimg_tasks.machine.architecture import Architecture
from kbimg_tasks.machine.partitions import LayoutError, plan_table

Found = Iterator[tuple[Option, str]]
Drafts = Mapping[str, Any]
Values = Mapping[str, Any]

STATIC_ADDRESS = ("local_ip", "net_name", "netmask")


def all_problems(
    drafts: Drafts, values: Values, kinds: Collection[Kind], architecture: Architecture
) -> Found:
    """All problems between options, for any image and for the images to build."""
    yield from one_source(values)
    yield from verity_needs_grub(values)
    yield from legacy_bios_is_there(drafts, architecture)
    yield from verity_excludes_legacy_bios(drafts, values)
    yield from verity_excludes_container_source(values)
    yield from container_source_is_named(drafts)
    yield from admin_container_has_one_base(drafts)
    yield from container_source_is_taken_as_it_is(values)
    yield from address_by_dhcp_or_by_hand(drafts)
    yield from users_are_different(drafts)
    yield from partitions_fit(drafts, values)
    yield from something_is_configured(values, kinds)
    yield from firmware_is_the_same(drafts, kinds)
    for kind in kinds:
        yield from tables_are_there(kind, values)
        yield from excluded_tables_are_not(kind, values)
        yield from option_is_there(kind, drafts)


def one_source(values: Values) -> Found:
    """An image comes from packages or from an upgrade image."""
    if all(source in values for source in SOURCES):
        yield ("from_dockerimg",), "excludes from_repo: keep one of the two"


def verity_needs_grub(values: Values) -> Found:
    """A verified boot needs a password for editing menu entries."""
    if "dm_verity" in values and "grub" not in values:
        yield (
            ("dm_verity",),
            "needs a table [grub] with passwd: without a password anybody could "
            "boot another root hash from the menu",
        )


def verity_excludes_legacy_bios(drafts: Drafts, values: Values) -> Found:
    """The chain of trust starts in the UEFI firmware."""
    if "dm_verity" in values and drafts.get("from_repo", {}).get("legacy_bios"):
        yield (
            ("from_repo", "legacy_bios"),
            "expected false with dm_verity, found true: the chain "
            "of trust begins with UEFI's Secure Boot",
        )


def verity_excludes_container_source(values: Values) -> Found:
    """The root tree of an upgrade image was built and signed before."""
    if "dm_verity" in values and "from_dockerimg" in values:
        yield (
            ("dm_verity",),
            "excludes from_dockerimg: the upgrade image's root tree was made, "
            "and signed, elsewhere",
        )


def container_source_is_named(drafts: Drafts) -> Found:
    """from_dockerimg needs an image name or an archive."""
    source = drafts.get("from_dockerimg", {})
    ways = [source.get(way, "unreadable") for way in ("upgrade_img", "archive")]
    if "from_dockerimg" in drafts and not any(ways):
        yield (
            ("from_dockerimg",),
            "needs upgrade_img, the name of an image in the container "
            "engine, or archive, a file with one",
        )


def admin_container_has_one_base(drafts: Drafts) -> Found:
    """The admin container is built on a base image or out of packages, not both."""
    admin = drafts.get("admin_container", {})
    if admin.get("repo_path") and admin.get("base_image"):
        yield (("admin_container", "base_image"), "contradicts repo_path: remove one of the two")


def container_source_is_taken_as_it_is(values: Values) -> Found:
    """Nothing is added to the root tree of an upgrade image."""
    for table in OF_THE_TREE:
        if table in values and "from_dockerimg" in values:
            yield (
                (table,),
                (
                    "excludes from_dockerimg, whose upgrade image is taken as it is: it "
                    "belongs into the configuration that the upgrade image is made of"
                ),
            )


def firmware_is_the_same(drafts: Drafts, kinds: Collection[Kind]) -> Found:
    """One kubeos.tar cannot be for both legacy BIOS and UEFI, and some images are for UEFI only."""
    others = sorted(kind.name for kind in kinds if kind.holds_system and not kind.is_uefi_only)
    for kind in kinds:
        if kind.is_uefi_only and others:
            for option in _legacy(drafts):
                yield (
                    option,
                    f"{' and '.join(others)} would be for legacy BIOS and {kind.name} is for "
                    "UEFI: build them by two commands, with an out= each",
                )


def legacy_bios_is_there(drafts: Drafts, architecture: Architecture) -> Found:
    """Only x86-64 has legacy BIOS."""
    for option in () if architecture.has_bios else _legacy(drafts):
        yield (
            option,
            (f"expected false on {architecture.name}, which has no legacy BIOS, found true"),
        )


def _legacy(drafts: Drafts) -> Iterator[Option]:
    for source in SOURCES:
        if drafts.get(source, {}).get("legacy_bios"):
            yield source, "legacy_bios"


def address_by_dhcp_or_by_hand(drafts: Drafts) -> Found:
    """A static address needs all its options; DHCP excludes them."""
    pxe = drafts.get("pxe_config", {})
    if "dhcp" not in pxe:
        return
    for name in STATIC_ADDRESS:
        is_absent = name in pxe and pxe[name] is None
        if pxe["dhcp"] and pxe.get(name) is not None:
            yield ("pxe_config", name), "contradicts dhcp = true: remove one of the two"
        elif not pxe["dhcp"] and is_absent:
            yield ("pxe_config",), f"the option {name} is missing, which dhcp = false needs"


def users_are_different(drafts: Drafts) -> Found:
    """Each user is listed once; root is set by root_passwd."""
    seen: dict[str, int] = {}
    for index, user in enumerate(drafts.get("users", ())):
        name, at = user.get("name"), ("users", index, "name")
        if name == "root":
            yield at, 'expected another user than "root", whose password is from_repo.root_passwd'
        elif name in seen:
            yield at, f'expected each user once, found "{name}" again, as in users[{seen[name]}]'
        elif name is not None:
            seen[name] = index


def partitions_fit(drafts: Drafts, values: Values) -> Found:
    """The partitions fit on the disk, with the minimum for PERSIST."""
    sizes = drafts.get("disk_partition", {})
    if not {"root_mib", "image_gib"} <= set(sizes):
        return
    legacy = any(_legacy(drafts))
    try:
        plan_table(
            sizes["root_mib"],
            sizes["image_gib"],
            legacy=legacy,
            verity="dm_verity" in values and not legacy,
        )
    except LayoutError as error:
        yield ("disk_partition",), f"expected {error}"


def something_is_configured(values: Values, kinds: Collection[Kind]) -> Found:
    """An empty file is an error."""
    if not values and not kinds:
        yield (), "expected tables such as [from_repo], found an empty file"


def tables_are_there(kind: Kind, values: Values) -> Found:
    """The tables that an image needs."""
    for tables in kind.needs:
        if not any(table in values for table in tables):
            yield (), f"{kind.name} needs a table {' or '.join(f'[{table}]' for table in tables)}"


def excluded_tables_are_not(kind: Kind, values: Values) -> Found:
    """The tables that exclude an image."""
    for table, why in kind.excludes.items():
        if table in values:
            yield (table,), f"excludes {kind.name}: {why}"


def option_is_there(kind: Kind, drafts: Drafts) -> Found:
    """The option that an image needs in a table that other images use too."""
    for table, *options in kind.configured_by:
        for name in options:
            draft = drafts.get(str(table), {})
            if name in draft and draft[name] is None:
                yield (table,), f"the option {name} is missing, which {kind.name} needs"
