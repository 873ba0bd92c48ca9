"""What options demand of each other. Each rule is a function that gives all that it finds."""

from __future__ import annotations

from typing import Any, Collection, Dict, Iterator, Mapping, Tuple, Union

from kbimg_tasks.partitions import LayoutError, plan_table

Found = Iterator[Tuple[Tuple[Union[str, int], ...], str]]
STATIC_ADDRESS = ("local_ip", "net_name", "netmask")


def all_problems(parts: Mapping[str, Any], values: Mapping[str, Any],
                 images: Collection[str]) -> Found:  # fmt: skip
    """Everything that does not go together.

    `parts` holds the tables that are right in themselves, `values` the whole file as it was
    written, so that a table with a mistake in it still counts as present.
    """
    yield from one_source(values)
    yield from verity_needs_grub(values)
    yield from verity_excludes_legacy_bios(parts, values)
    yield from verity_excludes_container_source(values)
    yield from address_by_dhcp_or_by_hand(parts)
    yield from users_are_different(parts)
    yield from partitions_fit(parts, values)
    for image in images:
        yield from image_has_its_tables(image, values)
        yield from pxe_excludes_verity(image, values)
        yield from upgrade_image_has_a_name(image, parts)


def one_source(values: Mapping[str, Any]) -> Found:
    """An image comes from packages or from an upgrade image."""
    if "from_repo" in values and "from_dockerimg" in values:
        yield ("from_dockerimg",), "excludes from_repo: keep one of the two"


def verity_needs_grub(values: Mapping[str, Any]) -> Found:
    """The menu of a verified boot must not be editable by everybody."""
    if "dm_verity" in values and "grub" not in values:
        yield ("dm_verity",), "needs a table [grub] with passwd"


def verity_excludes_legacy_bios(parts: Mapping[str, Any], values: Mapping[str, Any]) -> Found:
    """The chain of trust begins in UEFI's firmware."""
    source = parts.get("from_repo")
    if "dm_verity" in values and source is not None and source.legacy_bios:
        yield ("from_repo", "legacy_bios"), "expected false, as dm_verity demands, found true"


def verity_excludes_container_source(values: Mapping[str, Any]) -> Found:
    """What an upgrade image holds was made, and signed, elsewhere."""
    if "dm_verity" in values and "from_dockerimg" in values:
        yield ("dm_verity",), "excludes from_dockerimg"


def pxe_excludes_verity(image: str, values: Mapping[str, Any]) -> Found:
    """dm-verity is for virtual machines."""
    if image == "pxe_img" and "dm_verity" in values:
        yield ("dm_verity",), "excludes pxe_img: dm-verity is for virtual machines"


def address_by_dhcp_or_by_hand(parts: Mapping[str, Any]) -> Found:
    """All of a static address, or none of it."""
    pxe = parts.get("pxe_config")
    if pxe is None:
        return
    for name in STATIC_ADDRESS:
        given = getattr(pxe, name) is not None
        if pxe.dhcp and given:
            yield ("pxe_config", name), "contradicts dhcp = true: remove one of the two"
        elif not pxe.dhcp and not given:
            yield ("pxe_config",), f"the option {name} is missing, which dhcp = false needs"


def users_are_different(parts: Mapping[str, Any]) -> Found:
    """Every user once, and root by root_passwd."""
    seen: Dict[str, int] = {}
    for index, user in enumerate(parts.get("users", ())):
        if user.name == "root":
            yield ("users", index, "name"), (
                'expected another user than "root", whose password is from_repo.root_passwd')
        elif user.name in seen:
            yield ("users", index, "name"), f'expected each user once, found "{user.name}" again'
        seen[user.name] = index


def partitions_fit(parts: Mapping[str, Any], values: Mapping[str, Any]) -> Found:
    """The disk holds its partitions, with enough for PERSIST."""
    sizes, source = parts.get("disk_partition"), parts.get("from_repo")
    if sizes is None:
        return
    try:
        plan_table(sizes.root_mib, sizes.image_gib, legacy=bool(source and source.legacy_bios),
                   verity="dm_verity" in values)  # fmt: skip
    except LayoutError as error:
        yield ("disk_partition",), f"expected {error}"


def image_has_its_tables(image: str, values: Mapping[str, Any]) -> Found:
    """What an image cannot be made without."""
    if image in ("vm_img", "pxe_img") and not {"from_repo", "from_dockerimg"} & set(values):
        yield (), f"{image} needs a table [from_repo] or [from_dockerimg]"
    if image == "upgrade_img" and "from_repo" not in values:
        yield (), "upgrade_img needs a table [from_repo]"
    if image == "pxe_img" and "pxe_config" not in values:
        yield (), "pxe_img needs a table [pxe_config]"
    if image == "admin_container" and "admin_container" not in values:
        yield (), "admin_container needs a table [admin_container]"


def upgrade_image_has_a_name(image: str, parts: Mapping[str, Any]) -> Found:
    """The container image is found under it."""
    source = parts.get("from_repo")
    if image == "upgrade_img" and source is not None and source.upgrade_img is None:
        yield ("from_repo",), "the option upgrade_img is missing, which upgrade_img needs"
