"""Which option a failed step is blamed on, and the line of the configuration that it is at."""

from __future__ import annotations

from pathlib import Path

from building import SMALL, TOP, write_config, write_custom

from kbimg_tasks.config.load import load
from kbimg_tasks.config.model import Config
from kbimg_tasks.plan.images import plan
from kbimg_tasks.plan.root import Given
from kbimg_tasks.steps.blame import Blame, blamed
from kbimg_tasks.steps.step import Step

OUTPUT = (
    "Packages to try kbimg with                      2.2 MB/s | 2.3 kB     00:00",
    "No match for argument: tra",
    "No match for argument: tra",
    "No match for argument: grub2-efi",
    "Error: Unable to find a match: tra grub2-efi",
    "",
)


def test_the_last_line_is_the_message():
    assert list(blamed([Blame(("users", 1))], ("a", "useradd: no group x", ""))) == [
        (("users", 1), "useradd: no group x")
    ]


def test_a_program_without_output():
    ((option, message),) = blamed([Blame(("users", 1))], ())
    assert option == ("users", 1)
    assert message == "the command failed without a message"


def test_only_what_matches_is_blamed():
    blames = (Blame(("grub",), "no passphrase .*"), Blame(("users",), "expected .*"))
    assert list(blamed(blames, ("efi_key: no passphrase of x", "y"))) == [
        (("grub",), "no passphrase of x")
    ]


def steps(config: Config) -> list[Step]:
    """Every step of the configuration's plan."""
    return [step for stage in plan(config, Given()).stages for step in stage.steps]


def line(path: Path, text: str, which: int = 0) -> int:
    """The number of the line that has only this text, the first or a later one."""
    numbers = [
        number
        for number, line in enumerate(path.read_text().splitlines(), 1)
        if line.strip() == text
    ]
    return numbers[which]


def test_packages_that_no_repository_has(tmp_path: Path):
    path = write_config(tmp_path, (*SMALL, "tra"))
    config, number = load(path, tmp_path), line(path, '"tra",')
    assert [
        str(config.problem(option, message))
        for step in steps(config)
        for option, message in blamed(step.blames, OUTPUT)
        if option[0] == "from_repo"
    ] == [
        f"kbimg.toml:{number}: from_repo.rpmlist[{len(SMALL)}]: no repository of demo.repo has tra"
    ]


def test_each_table_is_blamed_at_its_line(tmp_path: Path):
    path = write_custom(tmp_path)
    config = load(path, tmp_path)
    found = {
        str(config.problem(option, message))
        for step in steps(config)
        for option, message in blamed(step.blames, ("no",))
    }
    assert f"kbimg.toml:{line(path, '[[users]]', 1)}: users[1]: no" in found
    number = line(path, 'path = "mark.sh"')
    assert f"kbimg.toml:{number}: chroot_script.path: no" in found


def test_all_that_is_blamed_stands_in_the_file():
    full, verified = (load(TOP / f"config/{name}.toml", TOP) for name in ("full", "dm-verity"))
    for config, table in (
        (full, "users"),
        (full, "copy_files"),
        (full, "disk_partition"),
        (full, "chroot_script"),
        (full, "systemd_service"),
        (full, "from_repo"),
        (verified, "dm_verity"),
    ):
        options = {
            blame.option
            for step in steps(config)
            for blame in step.blames
            if blame.option[0] == table
        }
        assert options, table
        for option in options:
            assert config.problem(option, "no").line, option
