"""The paths of files of Debian packages."""

from __future__ import annotations

import pytest

from kbimg_tasks.demo_repo.layout import is_dropped, link_target, merged, placed


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("/bin/sh", "/usr/bin/sh"),
        ("/lib", "/usr/lib"),
        ("/lib64/ld-linux-x86-64.so.2", "/usr/lib64/ld-linux-x86-64.so.2"),
        ("/library/x", "/library/x"),
        ("/usr/bin/sh", "/usr/bin/sh"),
        ("/etc/bin/x", "/etc/bin/x"),
    ],
)
def test_one_usr(path: str, expected: str) -> None:
    assert merged(path) == expected


def test_the_longest_move_wins() -> None:
    moves = {"/usr/lib/shim/": "/boot/", "/usr/lib/shim/mm": "/boot/efi/mm"}
    assert placed("/lib/shim/mmx64.efi", moves) == "/boot/efi/mmx64.efi"
    assert placed("/lib/shim/fbx64.efi", moves) == "/boot/fbx64.efi"


@pytest.mark.parametrize(
    ("old", "new", "target", "expected"),
    [
        # libz.so of a development package: the library is in /lib.
        (
            "/usr/lib/a/libz.so",
            "/usr/lib/a/libz.so",
            "../../../lib/a/libz.so.1",
            "../../../lib/a/libz.so.1",
        ),
        ("/lib/x/y", "/usr/lib/x/y", "../../usr/share/z", "../../share/z"),
        ("/lib/x/y", "/usr/lib/x/y", "z", "z"),
        ("/lib/x/y", "/usr/lib/x/y", "/lib/z", "/lib/z"),
        ("/usr/lib/cni/a", "/opt/cni/bin/a", "../b", "../../../usr/lib/b"),
    ],
)
def test_a_moved_link_leads_where_it_led(old: str, new: str, target: str, expected: str) -> None:
    assert link_target(old, new, target) == expected


def test_a_pattern_covers_what_lies_below() -> None:
    assert is_dropped("/etc/init.d", ["/etc/init.d"])
    assert is_dropped("/etc/init.d/ssh", ["/etc/init.d"])
    assert not is_dropped("/etc/init.data", ["/etc/init.d"])
