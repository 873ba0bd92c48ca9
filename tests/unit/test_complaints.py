"""What a program says, brought back to the line of the configuration that is to blame."""

from __future__ import annotations

from pathlib import Path

from building import SMALL, write_config, write_custom

from kbimg_tasks.config.load import load
from kbimg_tasks.session import blame

LAST = (
    "Packages to try kbimg with                      2.2 MB/s | 2.3 kB     00:00",
    "No match for argument: tra",
    "No match for argument: tra",
    "No match for argument: grub2-efi",
    "Error: Unable to find a match: tra grub2-efi",
)


def line(path: Path, text: str, which: int = 0) -> int:
    """The number of the line that a text stands on alone, or of a later one."""
    return [
        number
        for number, line in enumerate(path.read_text().splitlines(), 1)
        if line.strip() == text
    ][which]


def test_packages_that_no_repository_has(tmp_path: Path):
    path = write_config(tmp_path, (*SMALL, "tra"))
    config, number = load(path, tmp_path), line(path, '"tra",')
    assert [str(one) for one in blame.blamed(config, "packages", (), LAST)] == [
        f"kbimg.toml:{number}: from_repo.rpmlist[{len(SMALL)}]: no repository of demo.repo has tra"
    ]
    assert not list(blame.blamed(config, "rootfs", (), LAST))


def test_who_asked_for_what_failed(tmp_path: Path):
    path = write_custom(tmp_path)
    config, number = load(path, tmp_path), line(path, "[[users]]", 1)
    assert [
        str(one)
        for one in blame.blamed(
            config, "customised", ("users", 1), ("", "useradd: group 'x' does not exist", "")
        )
    ] == [f"kbimg.toml:{number}: users[1]: useradd: group 'x' does not exist"]
    (told,) = blame.blamed(config, "customised", ("chroot_script", "path"), ())
    number = line(path, 'path = "mark.sh"')
    assert str(told) == f"kbimg.toml:{number}: chroot_script.path: customised failed"
