"""The groups of tests that run one after the other in the same worker of pytest-xdist."""

from __future__ import annotations

import re

from xdist.scheduler import LoadScopeScheduling

# Parts of a test's id, and the group of the tests that have it; the first that is found counts.
# All other tests of a file are one group, for which its fixtures are made once.
GROUPS: tuple[tuple[str, str], ...] = (
    # Those that resume the same saved node: no worker waits for another that makes it.
    (r"boot/test_vm_img.*\[custom_image|boot/test_boot.*stays_as_it_is", "custom node"),
    (r"boot/test_vm_img.*\[legacy_image|boot/test_legacy_bios", "legacy node"),
    (r"boot/test_vm_img.*\[arm_image|boot/test_dm_verity.*aarch64", "arm node"),
    (r"boot/test_vm_img.*(unchanged|idle)", "unchanged image"),
    (r"boot/test_vm_img.*\[verified_image", "verified node"),
    (
        r"boot/test_dm_verity.*::test_(it_runs|a_slot|root|host_keys|a_start|switching|upgrade_and_d)",
        "verified node",
    ),
    (r"boot/test_boot", "kbimg boot"),
)


class Groups(LoadScopeScheduling):
    """Gives an idle worker the next group in the order of collection: images and machines first,
    unit tests last, so that workers end together. xdist's own groups, --dist loadgroup, do not work
    with pytest 9.2: xdist 3.8 writes them to Item._nodeid, which pytest no longer reads."""

    def _split_scope(self, nodeid: str) -> str:
        found = (group for part, group in GROUPS if re.search(part, nodeid))
        return next(found, nodeid.split("::")[0])
